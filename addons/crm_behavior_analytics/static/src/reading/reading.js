import { Component, onWillUnmount, useEffect, useState } from "@odoo/owl";
import { deserializeDate, formatDate } from "@web/core/l10n/dates";
import { downloadFile } from "@web/core/network/download";
import { user } from "@web/core/user";
import { useService } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

/** What the funnel and the retention share: the figures of a saved form, read by the
 *  server, and what can be done with them. */
export class Reading extends Component {
    static props = { ...standardWidgetProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({ loading: false, error: null, result: null });
        this.request = 0;
        useEffect(
            (resId, dirty) => {
                if (resId && !dirty) {
                    this.load(resId);
                }
            },
            () => [this.props.record.resId, this.props.record.dirty]
        );
        onWillUnmount(() => (this.request += 1));
    }

    get model() {
        return this.props.record.resModel;
    }

    get isUnsaved() {
        return !this.props.record.resId || this.props.record.dirty;
    }

    async load(resId = this.props.record.resId) {
        const request = ++this.request;
        Object.assign(this.state, { loading: true, error: null });
        let found;
        try {
            found = { result: await this.orm.call(this.model, "read_result", [[resId]]) };
        } catch (error) {
            // What the server says in one sentence stands where the figures would.
            if (!error.data?.message) {
                throw error;
            }
            found = { result: null, error: error.data.message };
        }
        // Whoever has asked again, or left, waits for another answer.
        if (request === this.request) {
            Object.assign(this.state, { loading: false, error: null, ...found });
        }
    }

    save() {
        return this.props.record.save();
    }

    /** Open the customers behind a figure, or make a segment of them. */
    async openCustomers(args, segment = false) {
        const action = await this.orm.call(
            this.model,
            "action_view_customers",
            [[this.props.record.resId]],
            { ...args, segment }
        );
        return this.action.doAction(action);
    }

    number(value) {
        return new Intl.NumberFormat(user.lang).format(value);
    }

    percent(share) {
        if (share === null) {
            return "–";
        }
        return new Intl.NumberFormat(user.lang, {
            style: "percent",
            maximumFractionDigits: share > 0 && share < 1 ? 1 : 0,
        }).format(share);
    }

    day(text) {
        return formatDate(deserializeDate(text));
    }

    downloadRows(rows) {
        const name = this.props.record.data.name || this.model;
        // The mark tells spreadsheets that it is UTF-8.
        downloadFile("\ufeff" + toCsv(rows), `${name}.csv`, "text/csv");
    }
}

/** Rows of cells as CSV (RFC 4180); a text that a spreadsheet would run stays a text. */
export function toCsv(rows) {
    const cell = (value) => {
        let text = value === null || value === undefined ? "" : String(value);
        if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) {
            text = `'${text}`;
        }
        return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
}
