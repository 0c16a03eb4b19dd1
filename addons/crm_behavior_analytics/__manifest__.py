{
    "name": "CRM Behavior Analytics",
    "version": "19.0.1.1.0",
    "category": "Sales/CRM",
    "summary": "What customers do, and what they will do next",
    "author": "CRM Suite contributors",
    "license": "LGPL-3",
    "depends": ["crm_omnichannel", "website"],
    "external_dependencies": {
        "python": [
            "ibis-framework",
            "lightgbm",
            "numpy",
            "polars",
            "pyarrow",
            "scikit-learn",
            "scipy",
        ]
    },
    "data": [
        "security/crm_behavior_analytics_groups.xml",
        "security/crm_behavior_analytics_security.xml",
        "security/ir.model.access.csv",
        "data/ir_cron_data.xml",
        "data/behavior_data.xml",
        "data/behavior_prediction_data.xml",
        "wizards/behavior_source_check_views.xml",
        "views/behavior_event_views.xml",
        "views/behavior_source_views.xml",
        "views/behavior_feature_views.xml",
        "views/behavior_prediction_views.xml",
        "views/behavior_score_views.xml",
        "views/res_partner_views.xml",
        "views/website_templates.xml",
        "views/crm_behavior_analytics_menus.xml",
    ],
    "demo": [
        "demo/behavior_source_demo.xml",
        "demo/behavior_event_demo.xml",
        "demo/behavior_prediction_demo.xml",
    ],
    "assets": {
        "web.assets_frontend": [
            "crm_behavior_analytics/static/src/interactions/**/*",
        ],
    },
    "uninstall_hook": "uninstall_hook",
    "application": True,
}
