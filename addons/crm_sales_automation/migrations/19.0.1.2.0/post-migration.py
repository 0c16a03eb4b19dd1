"""Notes of steps tell stages by id, to be read in any language; they told a name."""

from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    env = api.Environment(cr, SUPERUSER_ID, {"active_test": False})
    languages = [code for code, _name in env["res.lang"].get_installed()]
    stages = env["crm.stage"].search([])
    ids = {
        stage.with_context(lang=code).name: stage.id
        for code in languages
        for stage in stages
    }
    steps = env["bpmn.instance.step"].search(
        [("note_code", "in", ("stage_set", "stage_kept"))]
    )
    for step in steps:
        # A stage that has been renamed or deleted since is told as one that is gone.
        step.note_params = {
            key: ids.get(value, False) if isinstance(value, str) else value
            for key, value in step.note_params.items()
        }
