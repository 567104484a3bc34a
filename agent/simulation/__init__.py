"""The simulated robot: its observations, its reward, its physics and its rendering.

heading.py       the observation, independent of the heading
physics.py       MuJoCo, stepped by native threads
task.py          the goal reward and the gait
curriculum.py    goals, starts and shoves that the env draws at random
vector_env.py    many bodies that follow goals
env.py           one body, as agent/HumanoidGoal-v0
rollouts.py      the loop of observing, acting and stepping
video.py         rendering, videos and strips of frames
"""
