import importlib

from odoo import api, fields, models

from odoo.addons.crm_data_governance.messages import render

from ..messages import FEATURES


class BehaviorFeature(models.Model):
    """The catalogue of what is known of each customer, made from the definitions."""

    _name = "behavior.feature"
    _description = "Feature"
    _order = "provider, sequence, id"
    _rec_names_search = ["code"]
    _log_access = False

    code = fields.Char(required=True, readonly=True)
    name = fields.Char(compute="_compute_texts")
    description = fields.Char(compute="_compute_texts")
    provider = fields.Selection("_selection_provider", required=True, readonly=True)
    res_model = fields.Char("Of", required=True, readonly=True)
    window = fields.Integer(
        "Days Back",
        readonly=True,
        aggregator=None,
        help="How many days back it looks; 0: all.",
    )
    sequence = fields.Integer(readonly=True)

    _code_uniq = models.Constraint(
        "UNIQUE(code, res_model)", "A feature has this code already."
    )

    @api.model
    def _selection_provider(self):
        providers = self.env["behavior.feature.provider"]._feature_providers()
        return [
            (code, self.env._(provider.title)) for code, provider in providers.items()
        ]

    @api.model
    def _feature_texts(self):
        """Texts of features by code; an upper addon adds those of its own.

        :return: dict of code → ``FeatureText`` of lazy translations
        """
        return FEATURES

    @api.depends("code")
    @api.depends_context("lang")
    def _compute_texts(self):
        texts = self._feature_texts()
        for feature in self:
            text = texts.get(feature.code)
            feature.name = self.env._(text.name) if text else feature.code
            feature.description = self.env._(text.description) if text else False

    @api.depends("name")
    @api.depends_context("lang")
    def _compute_display_name(self):
        for feature in self:
            feature.display_name = feature.name

    @api.model
    def _refresh_catalogue(self):
        """Bring the catalogue in line with the definitions of all providers."""
        known = {
            (feature.code, feature.res_model): feature for feature in self.search([])
        }
        providers = self.env["behavior.feature.provider"]._feature_providers()
        new = []
        for code, provider in providers.items():
            module = importlib.import_module(provider.module)
            for sequence, definition in enumerate(module.DEFINITIONS):
                values = {
                    "provider": code,
                    "window": definition.window or 0,
                    "sequence": sequence,
                }
                feature = known.pop((definition.code, provider.res_model), None)
                if feature:
                    feature.write(values)
                else:
                    new.append(
                        {
                            "code": definition.code,
                            "res_model": provider.res_model,
                            **values,
                        }
                    )
        self.create(new)
        self.union(*known.values()).unlink()

    @api.model
    def _render_reasons(self, reasons):
        """Reasons of a score in the reader's language, the strongest first.

        :param list reasons: ``{"code", "effect", "params"}`` as ``tools/prediction.py``
            makes them
        :return: list of str
        """
        texts = self._feature_texts()
        rendered = (self._render_reason(texts, reason) for reason in reasons or ())
        # Two features may say the same in words.
        return list(dict.fromkeys(rendered))

    @api.model
    def _render_reason(self, texts, reason):
        code, params = reason["code"], reason["params"]
        text = texts.get(code)
        if not text:
            return code
        if params.get(code) is None:
            return self.env._(
                "%(feature)s: nothing is known", feature=self.env._(text.name)
            )
        shown = {
            name: self._render_number(value) if value is not None else "–"
            for name, value in params.items()
        }
        rendered = render(self.env, {code: text.reason}, code, shown)
        if rendered == code:
            # Parameters of another version of the definition: name and value tell.
            return f"{self.env._(text.name)}: {shown[code]}"
        return rendered

    @api.model
    def _render_number(self, value):
        lang = self.env["res.lang"]._lang_get(self.env.lang or "en_US")
        digits = 0 if abs(value) >= 10 or value == int(value) else 1
        return lang.format(f"%.{digits}f", value, grouping=True)
