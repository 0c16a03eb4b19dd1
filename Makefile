# Each target is one call of scripts/. Variables: PORT, DEMO=0, WORKERS for run;
# ADDON=crm_x, TEST=tests/test_x.py or a test tag for test; AREA=crm_x for verify.
PYTHON ?= python3
export PORT DEMO WORKERS ADDON TEST AREA
CALL = @PYTHONPATH="$(CURDIR)" $(PYTHON) -m scripts

run test verify lint bench i18n pictures sdk stop clean:
	$(CALL) $@

.PHONY: run test verify lint bench i18n pictures sdk stop clean
