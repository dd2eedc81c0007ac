# Every target creates .venv when needed and reuses it when nothing changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BUILT := $(VENV)/.built
SANITIZED := build/sanitize
DEMO := runs/demo-$(shell date +%Y%m%d-%H%M%S)
export RAY_USAGE_STATS_ENABLED := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install native demo test test-slow soak golden guard sanitize lint format lock clean

help:
	@echo "make demo      install, train a curriculum for a few minutes, draw it (runs/demo-*)"
	@echo "make test      install and run the tests"
	@echo "make test-slow the slow tests"
	@echo "make soak      an hour of training with a fault a minute (TEACHENV_SOAK_S: seconds a library), and"
	@echo "               a million trials of every teacher (two hours)"
	@echo "make golden    rewrite what teachers ask in the tests (TEACHERS=\"id id\"; a changelog line!)"
	@echo "make guard     is anything 1.5 times slower than it was, or above its limit?"
	@echo "make sanitize  the native engine's tests, stopping at memory errors (Linux, GCC)"
	@echo "make lint      install and run ruff and mypy"
	@echo "make native    install and build the native engine, again where its C++ changed"

install native: $(BUILT)

# torch goes first, by exact version: a looser request may pull in a build for another device.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt torch==2.13.0 cmake nanobind ninja \
		scikit-build-core
	$(BIN)/python -m pip install -q -c constraints.txt --no-build-isolation -e ".[dev]"
	touch $@

# Without a C++ compiler the install above goes on without the engine, and so does all else.
$(BUILT): $(INSTALLED) CMakeLists.txt $(wildcard teachenv/envs/bipedal/native/*)
	@if test -f build/native/build.ninja; then $(BIN)/cmake --build build/native; \
	else echo "no native engine: it needs GCC or Clang for C++20, then make clean install"; fi
	touch $@

# About three minutes on two cores; every demo gets a folder of its own.
demo: $(BUILT)
	$(BIN)/teachenv run --env teachenv/StumpTracks-v0 --teacher alp-gmm --student sbx-ppo \
		--steps 4000000 --round-steps 1000000 --seed 1 --out $(DEMO)
	$(BIN)/teachenv plot $(DEMO) --animate gif
	$(BIN)/teachenv evaluate $(DEMO) --video --task stump_height=0.2,stump_spacing=4
	@echo "look into $(DEMO)/plots and $(DEMO)/videos"

test: $(BUILT)
	$(BIN)/python -m pytest -m "not slow" -n 2

test-slow: $(BUILT)
	$(BIN)/python -m pytest -m "slow and not soak" -n 2

soak: $(BUILT)
	$(BIN)/python -m pytest -m soak

golden: $(BUILT)
	$(BIN)/python tests/test_teacher_golden.py $(TEACHERS)

guard: $(BUILT)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/guard.py

# A build of its own in a copy of the package; -S keeps Python from finding the usual one. Leaks
# are not looked for: Python never frees everything. Too much memory asked for is NumPy's to refuse.
sanitize: $(INSTALLED)
	rm -rf $(SANITIZED)/tree
	$(BIN)/cmake -S . -B $(SANITIZED) -G Ninja -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja \
		-DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python -DTEACHENV_SANITIZE=ON
	$(BIN)/cmake --build $(SANITIZED)
	mkdir -p $(SANITIZED)/tree
	cp -r pyproject.toml teachenv teachers students tests $(SANITIZED)/tree
	rm -f $(SANITIZED)/tree/teachenv/envs/bipedal/*.so
	$(BIN)/cmake --install $(SANITIZED) --prefix $(SANITIZED)/tree
	cd $(SANITIZED)/tree && ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
		UBSAN_OPTIONS=print_stacktrace=1 \
		LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libstdc++.so)" \
		PYTHONPATH=$$($(CURDIR)/$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))") \
		$(CURDIR)/$(BIN)/python -S -m pytest --capture=sys -m "not slow" $(addprefix tests/test_native_,\
		engine.py arguments.py hostile.py bits.py state.py geometry.py terrain.py bodies.py)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Needs uv; rewrites constraints.txt for all platforms.
lock:
	(echo "# Exact versions for every platform and Python >= 3.10; made by \`make lock\`, used by the Makefile."; \
	printf 'torch==2.13.0\ngymnasium==1.2.2\n' | uv pip compile --universal --python-version 3.10 --all-extras \
		--no-header --no-annotate -c - pyproject.toml) > constraints.tmp
	mv constraints.tmp constraints.txt

clean:
	rm -rf $(VENV) build teachenv/envs/bipedal/*.so
