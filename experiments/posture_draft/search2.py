import numpy as np, torch, time, sys, copy
from agent.motor_policy import MotorPolicy
from agent.vector_env import make_vector_env
from agent.env import heading_velocity
torch.set_num_threads(1)
base=MotorPolicy.from_pretrained(sys.argv[1]).eval()
CMD=[(0,0,0),(0.6,0,0),(0,0.4,0)]
# offsets added to what is seen: height, pitch(q y), abd_y, hip_y, knee, vx, vz, hip_x, hip_z
names=['z','pitch','abd_y','hip_y','knee','vx','hip_x','hip_z','pitchrate']
idx=[[0],[3],[6],[10,14],[11,15],[22],[8,12],[9,13],[26]]
scale=np.array([.1,.05,.2,.25,.4,.4,.05,.1,.3])
rng=np.random.default_rng(int(sys.argv[3]) if len(sys.argv)>3 else 0)
M=48
mean=np.array([.07/.1,0,-.02/.2,.15/.25,.45/.4,0,0,0,0]); std=np.full(9,.7)
def run(X,steps=260):
    n=len(X)*len(CMD); P=np.repeat(X*scale,len(CMD),0); C=np.tile(np.array(CMD,dtype=np.float32),(len(X),1))
    e=make_vector_env(n,1,max_episode_steps=10**6,contact_cost=False,integrator="implicitfast"); o,_=e.reset(seed=0)
    base.reset(); base.prompt([tuple(c)+(0,0) for c in C.tolist()]); up=np.ones(n,bool); H=[];V=[];S=[]
    for t in range(steps):
        r=min(1,max(0,(t-50)/60)); s=o.copy()
        for k,ii in enumerate(idx): s[:,ii]+=r*P[:,[k]]
        a=base.act(s)
        o,_,te,_,_=e.step(a.clip(-.4,.4)); up&=~te; q=e.body.qpos; H.append(q[:,2].copy()); V.append((heading_velocity(q,e.body.qvel)-C)); S.append(up.copy())
    e.close(); S=np.array(S); H=np.array(H)[140:]; ok=S[140:]
    V=np.array(V)[140:]; 
    cnt=np.maximum(1,ok.sum(0)); h=(H*ok).sum(0)/cnt; v=np.linalg.norm((V*ok[...,None]).sum(0)/cnt[:,None],axis=1); surv=S.mean(0)
    alive=ok.sum(0)>0
    f=2*surv-10*np.maximum(np.abs(h-1.15)-.01,0)*alive-0.5*v*alive-1.2*~alive
    return f.reshape(len(X),-1).mean(1), h.reshape(len(X),-1), surv.reshape(len(X),-1), v.reshape(len(X),-1)
t0=time.time(); best=(-9,None)
for g in range(14):
    X=mean+std*rng.standard_normal((M,9)); X[0]=mean
    f,h,s,v=run(X); k=np.argsort(-f)[:9]; mean=0.2*mean+0.8*X[k].mean(0); std=np.maximum(0.2*std+0.8*X[k].std(0),0.12)
    b=k[0]
    if f[b]>best[0]: best=(f[b],X[b].copy()); np.save(sys.argv[2],X[b]*scale)
    print(g,round(time.time()-t0),'mean f',f[0].round(3),h[0].round(3),s[0].round(2),'best',f[b].round(3),'h',h[b].round(3),'surv',s[b].round(2),'verr',v[b].round(2),(X[b]*scale).round(2),flush=True)
