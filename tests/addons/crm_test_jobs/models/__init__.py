from . import crm_test_job
