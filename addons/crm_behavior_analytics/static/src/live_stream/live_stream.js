import { Component, onWillStart, onWillUnmount, status, useState } from "@odoo/owl";
import { CopyButton } from "@web/core/copy_button/copy_button";
import { formatDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { Layout } from "@web/search/layout";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";

const { DateTime } = luxon;
const REFRESH = 2000;

/** What has just arrived from websites, apps and servers, and what became of it. */
export class LiveStream extends Component {
    static template = "crm_behavior_analytics.LiveStream";
    static components = { CopyButton, Layout };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.display = { controlPanel: {} };
        this.outcomes = [
            { code: null, title: _t("All") },
            { code: "accepted", title: _t("Accepted") },
            { code: "duplicate", title: _t("Duplicates") },
            { code: "refused", title: _t("Refused") },
        ];
        this.state = useState({
            sources: [],
            sourceId: this.props.action.params?.source_id || null,
            outcome: null,
            words: "",
            rows: [],
            warning: false,
            open: null,
            paused: false,
            loaded: false,
        });
        onWillStart(async () => {
            this.state.sources = await this.orm.call("behavior.live", "read_sources", []);
            await this.refresh();
        });
        this.timer = setInterval(() => {
            if (!this.state.paused && document.visibilityState === "visible") {
                this.refresh();
            }
        }, REFRESH);
        onWillUnmount(() => clearInterval(this.timer));
    }

    /** The source whose first message is explained: the chosen one, else any. */
    get guide() {
        const { sources, sourceId } = this.state;
        return sources.find((source) => source.id === sourceId) || sources[0];
    }

    get isFiltered() {
        return Boolean(this.state.outcome || this.state.words.trim());
    }

    async refresh() {
        if (this.refreshing) {
            return;
        }
        const { sourceId, outcome, words } = this.state;
        this.refreshing = true;
        let found;
        try {
            // Nobody waits for it, so it shows no loading.
            found = await this.orm.silent.call("behavior.live", "read_stream", [], {
                source_id: sourceId,
                outcome,
                words,
            });
        } finally {
            this.refreshing = false;
        }
        if (status(this) === "destroyed") {
            return;
        }
        if (
            sourceId !== this.state.sourceId ||
            outcome !== this.state.outcome ||
            words !== this.state.words
        ) {
            await this.refresh();
            return;
        }
        Object.assign(this.state, { ...found, loaded: true });
    }

    choose(change) {
        Object.assign(this.state, change);
        return this.refresh();
    }

    chooseSource(event) {
        return this.choose({ sourceId: Number(event.target.value) || null });
    }

    chooseWords(event) {
        return this.choose({ words: event.target.value });
    }

    toggle(row) {
        this.state.open = this.state.open === row.key ? null : row.key;
    }

    time(row) {
        const at = DateTime.fromISO(row.at, { zone: "utc" }).setZone("default");
        return { short: at.toLocaleString(DateTime.TIME_WITH_SECONDS), long: formatDateTime(at) };
    }

    outcomeTitle(row) {
        return {
            accepted: _t("Accepted"),
            duplicate: _t("Duplicate"),
            refused: _t("Refused"),
        }[row.outcome];
    }

    outcomeClass(row) {
        return {
            accepted: "text-bg-success",
            duplicate: "text-bg-info",
            refused: "text-bg-danger",
        }[row.outcome];
    }

    /** The message as it landed, or as it was sent, indented if it is JSON. */
    json(row) {
        if (row.message) {
            return JSON.stringify(row.message, null, 2);
        }
        try {
            return JSON.stringify(JSON.parse(row.excerpt), null, 2);
        } catch {
            return row.excerpt;
        }
    }

    openEvent(row) {
        return this.action.doAction({
            type: "ir.actions.act_window",
            res_model: "behavior.event",
            res_id: row.event_id,
            views: [[false, "form"]],
        });
    }

    openSource() {
        return this.action.doAction({
            type: "ir.actions.act_window",
            res_model: "behavior.source",
            res_id: this.guide?.id,
            views: [[false, "form"]],
        });
    }
}

registry.category("actions").add("crm_behavior_analytics.live_stream", LiveStream);
