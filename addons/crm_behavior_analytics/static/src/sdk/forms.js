/*
 * Forms begun, sent and given up. Names of fields and how many are filled; never what
 * stands in them.
 */
import {clean, cleanUrl} from "./mask";

const FIELDS = "input:not([type=hidden]):not([type=submit]):not([type=button]),select,textarea";
// Odoo's own forms are sent by a script, without the browser's event.
const SEND = ".s_website_form_send";

function describe(form, begun) {
    const fields = [...form.querySelectorAll(FIELDS)];
    const filled = fields.filter((field) =>
        /^(checkbox|radio)$/.test(field.type) ? field.checked : field.value
    );
    return {
        form_id: form.id || undefined,
        form_name: form.getAttribute("name") || undefined,
        form_action: cleanUrl(form.getAttribute("action") || location.href),
        form_method: form.method || "get",
        field_count: fields.length,
        filled_count: filled.length,
        field_names: [...new Set(fields.map((field) => clean(field.name, 80)))]
            .filter(Boolean)
            .slice(0, 30),
        last_field: begun?.last,
        changes: begun?.changes || 0,
        duration_ms: begun ? Math.round(performance.now() - begun.at) : 0,
    };
}

export function watchForms(sdk) {
    const begun = new Map();

    function onField(event) {
        const form = event.target.form;
        if (!form || !event.target.matches(FIELDS)) {
            return;
        }
        if (!begun.has(form)) {
            begun.set(form, {at: performance.now(), changes: 0});
            sdk.track("Form Started", describe(form, begun.get(form)));
        }
        const one = begun.get(form);
        one.last = clean(event.target.name || event.target.id, 80) || undefined;
        one.changes += event.type === "change";
    }

    function onSend(form) {
        const one = begun.get(form);
        if (one?.sent && performance.now() - one.sent < 1000) {
            return;
        }
        sdk.track("Form Submitted", describe(form, one));
        begun.set(form, {...(one || {at: performance.now(), changes: 0}), sent: performance.now()});
    }

    addEventListener("focusin", onField, true);
    addEventListener("change", onField, true);
    addEventListener("submit", (event) => onSend(event.target), true);
    addEventListener(
        "click",
        (event) => {
            const form = event.target.closest?.(SEND)?.closest("form");
            if (form?.checkValidity()) {
                onSend(form);
            }
        },
        true
    );
    return {
        /** The page is being left: what was begun and not sent is given up. */
        leave() {
            for (const [form, one] of begun) {
                if (!one.sent) {
                    sdk.track("Form Abandoned", describe(form, one));
                }
            }
            begun.clear();
        },
    };
}
