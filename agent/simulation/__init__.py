"""The simulated humanoid: its observation, its goal reward and its physics, alone or many at once, and its pictures.

env.py           the body, its observations and the reward for following a goal
vector_env.py    many bodies on native threads
video.py         videos and strips of frames
"""
