import { BaseOptionComponent } from "@html_builder/core/utils";
import { Plugin } from "@html_editor/plugin";
import { registry } from "@web/core/registry";
import { onWillStart } from "@odoo/owl";

const BLOCK = "[data-personalization-slot]";

export class SlotOption extends BaseOptionComponent {
    static template = "crm_personalization.SlotOption";
    static selector = ".s_personalized_content";
    static applyTo = BLOCK;
    static dependencies = ["personalizationSlotOption"];

    setup() {
        super.setup();
        this.slots = [];
        onWillStart(async () => {
            this.slots = await this.dependencies.personalizationSlotOption.fetchSlots();
        });
    }
}

export class SlotOptionPlugin extends Plugin {
    static id = "personalizationSlotOption";
    static shared = ["fetchSlots"];

    resources = {
        builder_options: [SlotOption],
        so_content_addition_selector: [".s_personalized_content"],
        content_not_editable_selectors: [BLOCK],
        on_snippet_dropped_handlers: this.onSnippetDropped.bind(this),
        clean_for_save_handlers: this.cleanForSave.bind(this),
    };

    /** The slots that pages of this website may show. */
    fetchSlots() {
        const websiteId = this.services.website.currentWebsite.id;
        this.slotsPromise ||= this.services.orm.searchRead(
            "personalization.slot",
            [["website_id", "in", [websiteId, false]]],
            ["code", "name"],
            { order: "name" }
        );
        return this.slotsPromise;
    }

    async onSnippetDropped({ snippetEl }) {
        const blockEl = snippetEl.querySelector(BLOCK);
        const [first] = blockEl ? await this.fetchSlots() : [];
        if (first) {
            blockEl.dataset.personalizationSlot ||= first.code;
        }
    }

    /** The server fills the block each time: nobody's content is saved into the page. */
    cleanForSave({ root }) {
        for (const el of root.querySelectorAll(BLOCK)) {
            el.replaceChildren();
        }
    }
}

registry.category("website-plugins").add(SlotOptionPlugin.id, SlotOptionPlugin);
