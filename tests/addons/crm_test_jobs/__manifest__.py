{
    "name": "Test: Background Jobs",
    "version": "19.0.1.0.0",
    "category": "Hidden/Tests",
    "summary": "Starts background jobs and counts what is collected",
    "author": "CRM Suite contributors",
    "license": "LGPL-3",
    "depends": ["crm_omnichannel"],
    "data": ["security/ir.model.access.csv"],
}
