import json

from odoo.service.model import call_kw


class PolicyMixin:
    """What the web client sends, and a net that finds a value in any answer."""

    @classmethod
    def make_policy(cls, model, names, access, mask=False, group=None, **values):
        found = cls.env["ir.model.fields"].search(
            [("model", "=", model), ("name", "in", list(names))]
        )
        assert len(found) == len(names), (model, names)
        return cls.env["governance.field.policy"].create(
            {
                "name": f"{access} {model}",
                "model_id": cls.env["ir.model"]._get_id(model),
                "field_ids": [(6, 0, found.ids)],
                "group_ids": [(6, 0, [cls.env.ref(group).id])] if group else False,
                "access": access,
                "mask": mask,
                "active": True,
                **values,
            }
        )

    def rpc(self, user, model, method, *args, **kwargs):
        """A call as it comes over the wire, answered as it goes back over it."""
        self.env.invalidate_all()
        records = self.env[model].with_user(user)
        result = call_kw(records, method, list(args), kwargs)
        text = json.dumps(result, default=str, ensure_ascii=False)
        self.assertClosed(text, (model, method))
        return result

    def assertClosed(self, text, where):
        for secret in self.secrets:
            self.assertNotIn(secret, text, where)
