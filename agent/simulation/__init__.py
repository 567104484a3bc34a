"""The simulated robot: what it observes, what it is paid for, its physics, and its pictures.

heading.py       the observation, the same in every direction
physics.py       MuJoCo, stepped by native threads
task.py          the goal reward and the gait
curriculum.py    goals, starts and shoves that the env draws
vector_env.py    many bodies that follow goals
env.py           one body, as agent/HumanoidGoal-v0
rollouts.py      the loop of observing, acting and stepping
video.py         rendering, videos and strips of frames
"""
