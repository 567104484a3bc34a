import mujoco, numpy as np
from agent.vector_env import MODEL_PATH
m=mujoco.MjModel.from_xml_path(str(MODEL_PATH)); d=mujoco.MjData(m)
print(m.body_mass.sum(), m.body_mass[1], [ (m.joint(i).name, m.jnt_stiffness[i], m.jnt_range[i].round(2).tolist()) for i in range(1,m.njnt)])
print({m.actuator(i).name: m.actuator_gear[i,0] for i in range(m.nu)})
rng=np.random.default_rng(0)
gear={m.actuator_trnid[i,0]: m.actuator_gear[i,0]*.4 for i in range(m.nu)}
rf,lf=m.geom('right_foot').id,m.geom('left_foot').id
J=np.zeros((3,m.nv)); W=m.body_mass.sum()*9.81
best={}
names=['abdomen_y','right_hip_y','right_knee']
dof={n:m.joint(n).dofadr[0] for n in names}; ji={n:m.joint(n).id for n in names}
for s in range(250000):
    d.qpos[:]=0; p,a,h,k=rng.uniform(-.1,.7),rng.uniform(-.4,.4),rng.uniform(-1.6,.2),rng.uniform(-1.8,-.03)
    d.qpos[3]=np.cos(p/2); d.qpos[5]=np.sin(p/2); d.qpos[8]=a; d.qpos[[12,16]]=h; d.qpos[[13,17]]=k
    d.qpos[18:24]=(.6,-.4,-.9,-.6,.4,-.9)
    d.qpos[2]=1.4
    mujoco.mj_kinematics(m,d); mujoco.mj_comPos(m,d)
    z=1.4-(d.geom_xpos[rf,2]-.075)
    if not 1.08<z<1.3: continue
    off=d.subtree_com[0,0]-(d.geom_xpos[rf,0]+d.geom_xpos[lf,0])/2
    if abs(off)>.01: continue
    mujoco.mj_forward(m,d)
    mujoco.mj_jacGeom(m,d,J,None,rf); 
    need=d.qfrc_bias-d.qfrc_passive-J.T@np.array([0,0,W])   # one leg carries all
    r=[abs(need[dof[n]])/gear[ji[n]] for n in names]
    b=round(z/0.02); 
    # pitch of abdomen carries no ambiguity; hip of one leg
    q=max(r)
    for lean in (0.1,0.25,0.4,0.8):
        if abs(p)<lean and q<best.get((b,lean),(9,))[0]: best[b,lean]=(q,[round(x,2) for x in r],[round(x,2) for x in (p,a,h,k)])
for key in sorted(best): print(round(key[0]*.02,2),'lean<',key[1],round(best[key][0],2),*best[key][1:])
