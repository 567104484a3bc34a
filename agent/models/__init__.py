"""The networks that move the body: the teacher policy, and the Decision Transformer that learns from it.

mirror.py                  layers that are equivariant under the left-right mirror
motor_policy.py            the policy that PPO trains
decision_transformer.py    the Decision Transformer prompted with goals, its cache, and the MLP baseline
"""
