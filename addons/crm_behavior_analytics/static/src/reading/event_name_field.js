import { onWillStart, useState } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { CharField, charField } from "@web/views/fields/char/char_field";

let next = 0;

/** The name of an event: typed, or chosen among those that have arrived. */
export class EventNameField extends CharField {
    static template = "crm_behavior_analytics.EventNameField";

    setup() {
        super.setup();
        const orm = useService("orm");
        this.listId = `o_behavior_event_names_${++next}`;
        this.names = useState([]);
        onWillStart(() => {
            // The names are a help only: nobody waits for them.
            orm.silent
                .call("behavior.reading", "read_event_names", [])
                .then((names) => this.names.push(...names));
        });
    }
}

registry.category("fields").add("behavior_event_name", {
    ...charField,
    component: EventNameField,
});
