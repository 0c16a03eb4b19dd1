{
    "name": "CRM Personalization",
    "version": "19.0.1.1.0",
    "category": "Marketing",
    "summary": "The right content for each customer, and why it is shown",
    "author": "CRM Suite contributors",
    "license": "LGPL-3",
    "depends": ["crm_behavior_analytics", "mass_mailing", "website_sale"],
    "data": [
        "security/crm_personalization_groups.xml",
        "security/personalization_slot_security.xml",
        "security/ir.model.access.csv",
        "views/personalization_exposure_views.xml",
        "wizards/personalization_slot_preview_views.xml",
        "views/personalization_variant_views.xml",
        "views/personalization_slot_views.xml",
        "views/res_partner_views.xml",
        "views/res_config_settings_views.xml",
        "views/website_templates.xml",
        "views/crm_personalization_menus.xml",
    ],
    "demo": ["demo/personalization_slot_demo.xml", "demo/website_demo.xml"],
    "assets": {
        "web.assets_frontend": [
            "crm_personalization/static/src/interactions/**/*",
        ],
        "website.website_builder_assets": [
            "crm_personalization/static/src/builder/**/*",
        ],
    },
    "application": True,
    "uninstall_hook": "uninstall_hook",
}
