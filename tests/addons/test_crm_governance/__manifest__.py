{
    "name": "Test - CRM Data Governance",
    "version": "19.0.1.0.0",
    "category": "Hidden/Tests",
    "summary": "Guarded endpoints, a queue and hooks that only tests use",
    "author": "CRM Suite contributors",
    "license": "LGPL-3",
    "depends": ["crm", "crm_data_governance", "sale_management"],
    "data": ["security/ir.model.access.csv"],
}
