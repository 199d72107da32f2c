# The daily commands. Each is a script that can be called without make.

.PHONY: help setup lint quick test docs demo deb bench

help:
	@echo 'make setup   install what the tests need, and kacheck from this working tree into .venv'
	@echo 'make quick   lint, and the tests that take no root and little time'
	@echo 'make lint    ruff, mypy, shellcheck'
	@echo 'make test    everything that must pass; as root with a real keepalived'
	@echo 'make docs    write the generated parts of docs/ and man/, and the entry points'
	@echo 'make demo    show what kacheck does'
	@echo 'make deb     the Debian package, in dist/'
	@echo 'make bench   what a one-shot costs'

setup:
	script/setup test
	.venv/bin/pip install --quiet --no-deps --editable .

lint:
	script/lint

quick:
	script/test --quick

test:
	script/test

docs:
	script/generate-docs
	script/generate-entry-points

demo:
	script/demo

deb:
	script/deb

bench:
	.venv/bin/python bench/one_shot.py
