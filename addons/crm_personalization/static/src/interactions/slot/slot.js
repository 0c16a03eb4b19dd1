import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";

/**
 * Asks once for all slots of a page: what the page has shown is told, and what is for
 * the person alone is filled in.
 */
export class PersonalizationSlots extends Interaction {
    static selector = "#wrapwrap:has([data-personalization-slot])";

    start() {
        // What the visitor sees first does not wait for this.
        this.waitFor(this.ask()).then(this.protectSyncAfterAsync((slots) => this.fill(slots)));
    }

    destroy() {
        this.reveal();
    }

    get blockEls() {
        return [...this.el.querySelectorAll("[data-personalization-slot]")].filter(
            (el) => el.dataset.personalizationSlot
        );
    }

    async ask() {
        const slots = new Map();
        for (const el of this.blockEls) {
            const code = el.dataset.personalizationSlot;
            const contentEl = el.querySelector(":scope > .o_personalization_content");
            slots.set(code, { code, proof: contentEl?.dataset.proof });
        }
        try {
            const response = await fetch("/personalization/v1/page", {
                method: "POST",
                headers: { "Content-Type": "application/json" },
                body: JSON.stringify({
                    slots: [...slots.values()],
                    lang: document.documentElement.lang,
                    // The tracking script's, if it runs here and the visitor agreed.
                    anonymousId: window.behavior?.anonymousId?.(),
                }),
            });
            return response.ok ? (await response.json()).slots : {};
        } catch {
            // Off line: the page stays as it is.
            return {};
        }
    }

    fill(slots) {
        for (const el of this.blockEls) {
            const { html, variant } = slots[el.dataset.personalizationSlot] || {};
            if (html === undefined) {
                continue;
            }
            this.services["public.interactions"].stopInteractions(el);
            const contentEl = document.createElement("div");
            contentEl.className = "o_personalization_content";
            contentEl.dataset.variant = variant || "";
            // Sanitized by the server; scripts in it would not run.
            contentEl.innerHTML = html;
            el.replaceChildren(contentEl);
            this.services["public.interactions"].startInteractions(el);
        }
        this.reveal();
    }

    /** Shows what stands in the page where nothing came. */
    reveal() {
        for (const el of this.el.querySelectorAll(".o_personalization_pending")) {
            el.classList.remove("o_personalization_pending");
        }
    }
}

registry
    .category("public.interactions")
    .add("crm_personalization.slots", PersonalizationSlots);
