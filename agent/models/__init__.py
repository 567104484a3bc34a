"""The networks that move the body: the policy that is the teacher, and the Decision Transformer that learns from it.

mirror.py                  layers that treat left and right alike
motor_policy.py            the policy that PPO trains
decision_transformer.py    the Decision Transformer prompted with goals, its cache, and the MLP baseline
"""
