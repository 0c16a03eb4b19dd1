import { Component, onMounted, onWillUpdateProps, status, useState } from "@odoo/owl";
import { formatDate, formatDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { formatMonetary } from "@web/views/fields/formatters";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

const { DateTime } = luxon;
const PAGE_SIZE = 40;

/** Key figures of a customer, and everything that happened with them. */
export class OmniTimeline extends Component {
    static template = "crm_omnichannel.Timeline";
    static props = { ...standardWidgetProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState(this.emptyState());
        onMounted(() => this.load());
        onWillUpdateProps((props) => {
            if (props.record.resId !== this.resId) {
                Object.assign(this.state, this.emptyState());
                this.load(props.record.resId);
            }
        });
    }

    emptyState() {
        return {
            figures: null,
            entries: [],
            kinds: [],
            kind: null,
            next: null,
            loading: false,
            loaded: false,
        };
    }

    get resId() {
        return this.props.record.resId;
    }

    /** The entries under the day on which they happened. */
    get days() {
        const days = [];
        for (const entry of this.state.entries) {
            const utc = DateTime.fromISO(entry.at, { zone: "utc" });
            // a day without a time is that day everywhere
            const at = entry.all_day ? utc : utc.setZone("default");
            const label = formatDate(at);
            if (!days.length || days.at(-1).label !== label) {
                days.push({ label, entries: [] });
            }
            const time = entry.all_day ? "" : at.toLocaleString(DateTime.TIME_SIMPLE);
            days.at(-1).entries.push({ ...entry, time });
        }
        return days;
    }

    get cards() {
        const { figures } = this.state;
        const money = (value) => formatMonetary(value, { currencyId: figures.currency_id });
        return {
            lifetimeValue:
                figures.lifetime_value === null ? null : money(figures.lifetime_value),
            openAmount: figures.open_amount === null ? null : money(figures.open_amount),
            margin: figures.margin === null ? null : money(figures.margin),
            orders: figures.orders,
            ordersPerYear: figures.orders_per_year,
            rfm: figures.rfm && {
                label: figures.rfm.label,
                title: _t(
                    "Recency %(recency)s, frequency %(frequency)s, turnover %(monetary)s (5 is best)",
                    figures.rfm
                ),
            },
            lastOrder: figures.last_order_at && this.formatDay(figures.last_order_at),
            contacts: figures.last_contacts.map((contact) => ({
                ...contact,
                ago: this.toLocal(contact.at).toRelative(),
                title: formatDateTime(this.toLocal(contact.at)),
            })),
        };
    }

    toLocal(text) {
        return DateTime.fromISO(text, { zone: "utc" }).setZone("default");
    }

    formatDay(text) {
        return formatDate(this.toLocal(text));
    }

    async load(resId = this.resId) {
        if (!resId) {
            return;
        }
        await this.fetch(resId, ["figures", "timeline"], null);
    }

    async loadMore() {
        await this.fetch(this.resId, ["timeline"], this.state.next);
    }

    async filter(kind) {
        this.state.kind = kind;
        await this.fetch(this.resId, ["timeline"], null);
    }

    async fetch(resId, sections, before) {
        const kind = this.state.kind;
        this.state.loading = true;
        let found;
        try {
            found = await this.orm.call("res.partner", "customer_360", [[resId]], {
                sections,
                before,
                kinds: kind ? [kind] : null,
                limit: PAGE_SIZE,
            });
        } finally {
            this.state.loading = false;
        }
        // the reader may have gone on to another customer or filter meanwhile
        if (status(this) === "destroyed" || resId !== this.resId || kind !== this.state.kind) {
            return;
        }
        this.state.entries = before
            ? [...this.state.entries, ...found.timeline]
            : found.timeline;
        this.state.next = found.timeline_next;
        this.state.kinds = found.timeline_kinds;
        this.state.figures = found.figures || this.state.figures;
        this.state.loaded = true;
    }

    canOpen(entry) {
        return !(entry.res_model === "res.partner" && entry.res_id === this.resId);
    }

    open(entry) {
        return this.action.doAction({
            type: "ir.actions.act_window",
            res_model: entry.res_model,
            res_id: entry.res_id,
            views: [[false, "form"]],
        });
    }
}

export const omniTimeline = { component: OmniTimeline };

registry.category("view_widgets").add("omni_timeline", omniTimeline);
