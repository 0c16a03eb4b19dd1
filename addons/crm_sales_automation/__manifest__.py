{
    "name": "CRM Sales Automation",
    "version": "19.0.1.2.0",
    "category": "Sales/CRM",
    "summary": "Sales processes as BPMN 2.0: import, check, version, run",
    "author": "CRM Suite contributors",
    "license": "LGPL-3",
    "depends": ["crm_behavior_analytics"],
    "data": [
        "security/crm_sales_automation_groups.xml",
        "security/bpmn_process_security.xml",
        "security/bpmn_instance_security.xml",
        "security/ir.model.access.csv",
        "data/ir_cron_data.xml",
        "wizards/bpmn_process_import_views.xml",
        "wizards/bpmn_process_start_views.xml",
        "wizards/bpmn_task_answer_views.xml",
        "views/bpmn_finding_views.xml",
        "views/bpmn_instance_views.xml",
        "views/bpmn_incident_views.xml",
        "views/bpmn_process_views.xml",
        "views/crm_lead_views.xml",
        "views/sale_order_views.xml",
        "views/crm_sales_automation_menus.xml",
    ],
    "assets": {
        "web.assets_backend": [
            "crm_sales_automation/static/src/process_banner/process_banner.scss"
        ],
    },
    "demo": [
        "demo/crm_stage_demo.xml",
        "demo/bpmn_process_demo.xml",
        "demo/shanghai_demo.xml",
    ],
    "application": True,
    "uninstall_hook": "uninstall_hook",
}
