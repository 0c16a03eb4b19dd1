import importlib

from odoo import api, fields, models

from ..feature_messages import CATEGORIES, UNITS, FeatureText, describe
from ..messages import FEATURES
from ..tools.prediction import load_definitions


class BehaviorFeature(models.Model):
    """The catalogue of what is known of each customer, made from the definitions."""

    _name = "behavior.feature"
    _description = "Feature"
    _order = "res_model, sequence, id"
    _rec_names_search = ["code"]
    _log_access = False

    code = fields.Char(required=True, readonly=True)
    name = fields.Char(compute="_compute_texts")
    description = fields.Char(compute="_compute_texts")
    provider = fields.Selection("_selection_provider", required=True, readonly=True)
    category = fields.Selection("_selection_category", readonly=True)
    unit = fields.Selection("_selection_unit", "Value", readonly=True)
    res_model = fields.Char("Of", required=True, readonly=True)
    window = fields.Integer(
        "Days Back",
        readonly=True,
        aggregator=None,
        help="How many days back it looks; 0: all.",
    )
    sequence = fields.Integer(readonly=True)
    sources = fields.Json(
        readonly=True, help="The fields that it is made of, as model.field."
    )
    sources_text = fields.Text("Made of", compute="_compute_sources_text")

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
    def _selection_category(self):
        return [(code, self.env._(name)) for code, name in CATEGORIES.items()]

    @api.model
    def _selection_unit(self):
        return [(code, self.env._(name)) for code, name in UNITS.items()]

    @api.model
    def _feature_texts(self):
        """Texts of features by code; an upper addon adds those of its own.

        Only of those that say more than the parts of their definition do.

        :return: dict of code → ``FeatureText`` of lazy translations
        """
        return FEATURES

    @api.model
    def _definitions(self):
        """:return: dict of code → definition, of all providers"""
        providers = self.env["behavior.feature.provider"]._feature_providers()
        return {
            definition.code: definition
            for provider in providers.values()
            for definition in importlib.import_module(provider.module).DEFINITIONS
        }

    @api.model
    def _describe(self, codes):
        """The texts of features in the reader's language.

        :param codes: iterable of codes
        :return: dict of code → ``FeatureText`` of str, of those that have texts
        """
        texts, definitions = self._feature_texts(), self._definitions()
        found = {}
        for code in codes:
            if code in texts:
                found[code] = FeatureText(
                    *(self.env._(text) if text else "" for text in texts[code])
                )
            elif code in definitions and definitions[code].words:
                found[code] = describe(self.env, definitions[code])
        return found

    @api.depends("code")
    @api.depends_context("lang")
    def _compute_texts(self):
        texts = self._describe(self.mapped("code"))
        for feature in self:
            text = texts.get(feature.code)
            feature.name = text.name if text else feature.code
            feature.description = text.description if text else False

    @api.depends("sources")
    @api.depends_context("lang")
    def _compute_sources_text(self):
        for feature in self:
            feature.sources_text = "\n".join(
                self._source_name(source) for source in feature.sources or ()
            )

    @api.model
    def _source_name(self, source):
        """A field in words: its model's name and its own."""
        model_name, _dot, field_name = source.rpartition(".")
        model = self.env.get(model_name)
        if model is None or field_name not in model._fields:
            return source
        names = self.env["ir.model"]._get(model_name).name
        label = model._fields[field_name]._description_string(self.env)
        return f"{names}: {label}"

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
        new = []
        sequence = 0
        providers = self.env["behavior.feature.provider"]._feature_providers()
        for code, provider in providers.items():
            for definition in load_definitions([provider.module]):
                sequence += 1
                values = {
                    "provider": code,
                    "category": definition.category or False,
                    "unit": definition.unit or False,
                    "window": definition.window or 0,
                    "sequence": sequence,
                    "sources": provider.sources(definition),
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
        reasons = reasons or ()
        texts = self._describe({reason["code"] for reason in reasons})
        rendered = (self._render_reason(texts, reason) for reason in reasons)
        # Two features may say the same in words.
        return list(dict.fromkeys(rendered))

    @api.model
    def _render_reason(self, texts, reason):
        code, params = reason["code"], reason["params"]
        text = texts.get(code)
        if not text:
            return code
        if params.get(code) is None:
            return self.env._("%(feature)s: nothing is known", feature=text.name)
        shown = {
            name: self._render_number(value)
            for name, value in params.items()
            if value is not None
        }
        # What is known of one who has ordered once has no usual gap beside it.
        sentences = (text.reason, text.alone if None in params.values() else "")
        for sentence in filter(None, sentences):
            try:
                return sentence % shown
            except (KeyError, TypeError, ValueError):
                continue
        # Parameters of another version of the definition, or a text that was written
        # wrong: name and value tell.
        return f"{text.name}: {shown[code]}"

    @api.model
    def _render_number(self, value):
        lang = self.env["res.lang"]._lang_get(self.env.lang or "en_US")
        digits = 0 if abs(value) >= 10 or value == int(value) else 1
        return lang.format(f"%.{digits}f", value, grouping=True)

    def _render_value(self, value):
        """A value of this feature in the reader's language."""
        self.ensure_one()
        if self.unit == "share":
            return self.env._(
                "%(percent)s %%", percent=self._render_number(100 * value)
            )
        return self._render_number(value)
