import { deserializeDate, formatDate } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";

import { Reading } from "./reading";

const SHADES = 10;

/** The cohorts of a retention as a triangle. */
export class Retention extends Reading {
    static template = "crm_behavior_analytics.Retention";

    /** The cohorts from the first one that has somebody on. */
    get cohorts() {
        const { cohorts } = this.state.result;
        const before = Math.max(
            cohorts.findIndex((cohort) => cohort.count),
            0
        );
        const shown = cohorts.length - before;
        return cohorts
            .slice(before)
            .map((cohort) => ({ ...cohort, cells: cohort.cells.slice(0, shown) }));
    }

    get averages() {
        return this.state.result.average.slice(0, this.cohorts.length);
    }

    get isEmpty() {
        return !this.cohorts.some((cohort) => cohort.count);
    }

    /** What the columns are called: how many periods after the first. */
    get columns() {
        const words = {
            day: (number) => (number ? _t("Day %s", number) : _t("Same day")),
            week: (number) => (number ? _t("Week %s", number) : _t("Same week")),
            month: (number) => (number ? _t("Month %s", number) : _t("Same month")),
        }[this.state.result.granularity];
        return this.cohorts.map((_cohort, number) => words(number));
    }

    /** The whole table in one sentence, of the first period that is over. */
    get summary() {
        const number = this.state.result.average[1]?.of ? 1 : 0;
        const average = this.state.result.average[number];
        if (!average.of) {
            return "";
        }
        return _t("%(column)s: %(share)s of %(count)s were back.", {
            column: this.columns[number],
            share: this.percent(average.rate),
            count: this.number(average.of),
        });
    }

    get emptyText() {
        return _t(
            "Nobody did the first event for the first time since %s. Verify the event, or look further back.",
            this.day(this.cohorts[0].start)
        );
    }

    get explanation() {
        return _t(
            "People by when they came for the first time (%s), and how many of them were back. Hatched: not over yet, so the figure still grows.",
            this.state.result.zone
        );
    }

    label(cohort) {
        const start = deserializeDate(cohort.start);
        if (this.state.result.granularity === "month") {
            return start.toLocaleString({ year: "numeric", month: "short" });
        }
        return formatDate(start);
    }

    /** One of the shades, from white to full. */
    shade(cell) {
        return `o_behavior_shade_${Math.ceil(SHADES * (cell.rate || 0))}`;
    }

    describe(cohort, cell, number) {
        const words = {
            cohort: this.label(cohort),
            column: this.columns[number],
            count: this.number(cell.count),
            of: this.number(cohort.count),
        };
        return cell.state === "open"
            ? _t("Came %(cohort)s, %(column)s: %(count)s of %(of)s so far; not over yet", words)
            : _t("Came %(cohort)s, %(column)s: %(count)s of %(of)s", words);
    }

    sizeTitle(cohort) {
        return _t("Known customers: %s", this.number(cohort.known));
    }

    argsOf(cohort, number = null) {
        return { start: cohort.start, number };
    }

    download() {
        const columns = this.columns;
        this.downloadRows([
            [
                _t("Came"),
                _t("People"),
                _t("Known customers"),
                ...columns.flatMap((column) => [column, _t("%s, share", column)]),
                _t("Not over yet"),
            ],
            ...this.cohorts.map((cohort) => [
                cohort.start,
                cohort.count,
                cohort.known,
                ...cohort.cells.flatMap((cell) =>
                    cell.state === "future" ? [null, null] : [cell.count, cell.rate]
                ),
                columns[cohort.cells.findIndex((cell) => cell.state === "open")],
            ]),
            [
                _t("Weighted average"),
                null,
                null,
                ...this.averages.flatMap((one) => [null, one.rate]),
            ],
        ]);
    }
}

registry.category("view_widgets").add("behavior_retention", { component: Retention });
