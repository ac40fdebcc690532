# Every target sets up what it needs: a virtual environment in .venv with the locked versions.
# `make app` and `make test` are all a newcomer has to know.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo_output
SAMPLES := resources/samples
# What Qt and OpenCV load from the system, as Debian and Ubuntu call it; minimal machines lack some.
LIBRARIES := libegl1 libgl1 libglib2.0-0 libxkbcommon0 libdbus-1-3 libfontconfig1
# And what Qt needs to open a window under X11.
X11_LIBRARIES := libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1
X11_FILES := libxkbcommon-x11.so.0 libxcb-cursor.so.0 libxcb-icccm.so.4 libxcb-keysyms.so.1

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: app demo test test-slow lint format bench reference pictures clean

app: $(VENV)/.ready
	$(BIN)/python main.py $(SAMPLES)/coffee.jpg

demo: $(VENV)/.ready
	$(BIN)/python main.py segment $(SAMPLES)/coffee.jpg --seed 290,110 --label cup -o $(DEMO)
	$(BIN)/python main.py segment $(SAMPLES)/coffee.jpg --seed 290,110 --label cup --format overlay -o $(DEMO)
	$(BIN)/python main.py recolor $(SAMPLES)/coffee.jpg --seed 290,110 --color '#2f6fed' -o $(DEMO)/coffee_blue.png
	@echo "The results are in $(DEMO)/."

test: $(VENV)/.ready-test
	QT_QPA_PLATFORM=$${QT_QPA_PLATFORM:-offscreen} $(BIN)/python -m pytest

test-slow: $(VENV)/.ready-test
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m slow --timeout=1800 -o faulthandler_timeout=0

bench: $(VENV)/.ready-test
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m benchmark tests/benchmarks -o python_files='bench_*.py' -s --timeout=1800

lint: $(VENV)/.ready-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/vulture

format: $(VENV)/.ready-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What the documents take from the code; a test fails where a page is stale.
reference: $(VENV)/.ready-test
	$(BIN)/python -m docs.make_reference

# The documents' pictures, taken of the real window; needs Xvfb (Debian: apt install xvfb).
pictures: $(VENV)/.ready
	$(BIN)/python -m docs.make_pictures

clean:
	rm -rf $(VENV) $(DEMO) build dist *.egg-info

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed (Debian: apt install python3 python3-venv)."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.lock | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements.lock
	@$(MAKE) --no-print-directory libraries
	touch $@

$(VENV)/.ready-test: requirements.lock requirements-test.lock | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements-test.lock
	@$(MAKE) --no-print-directory libraries
	touch $@ $(VENV)/.ready

# Qt and OpenCV need a few shared libraries of the system. Root on Debian gets them; others are told.
.PHONY: libraries
libraries:
	@$(BIN)/python -c "import PySide6.QtWidgets, cv2, ctypes; [ctypes.CDLL(f) for f in '$(X11_FILES)'.split()]" 2>/dev/null \
	|| { command -v apt-get >/dev/null && test "$$(id -u)" = 0 && apt-get update -qq \
	&& apt-get install -y -qq $(LIBRARIES) $(X11_LIBRARIES); } \
	|| true
	@$(BIN)/python -c "import PySide6.QtWidgets, cv2" \
	|| { echo "Shared libraries are missing. On Debian or Ubuntu: sudo apt install $(LIBRARIES)"; exit 1; }
