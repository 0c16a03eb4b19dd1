import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";

import { Reading } from "./reading";

const UNITS = [
    [86400, (count) => _t("%s days", count)],
    [3600, (count) => _t("%s hours", count)],
    [60, (count) => _t("%s minutes", count)],
    [1, (count) => _t("%s seconds", count)],
];

/** The steps of a funnel as bars, with what each of them says in words. */
export class Funnel extends Reading {
    static template = "crm_behavior_analytics.Funnel";

    get steps() {
        return this.state.result.steps;
    }

    get isEmpty() {
        return !this.steps[0].count;
    }

    /** The whole funnel in one sentence. */
    get summary() {
        const [first, last] = [this.steps[0], this.steps.at(-1)];
        return _t("%(share)s of %(count)s got from “%(first)s” to “%(last)s”.", {
            share: this.percent(last.of_first),
            count: this.number(first.count),
            first: first.name,
            last: last.name,
        });
    }

    get duration() {
        const { count, seconds_first } = this.steps.at(-1);
        return count
            ? _t("Half of them within %s.", this.span(seconds_first))
            : "";
    }

    get times() {
        const { first_day, last_day } = this.state.result;
        return { first: this.day(first_day), last: this.day(last_day) };
    }

    get emptyText() {
        return _t(
            "From %(first)s to %(last)s. Verify the first step (%(step)s), or choose a longer time.",
            { ...this.times, step: this.steps[0].name }
        );
    }

    get periodText() {
        const { zone, window_days } = this.state.result;
        return _t(
            "First step from %(first)s to %(last)s (%(zone)s), %(days)s days to get through.",
            { ...this.times, zone, days: window_days }
        );
    }

    get pendingText() {
        const { pending } = this.state.result;
        return pending
            ? _t(
                  "%s are still within these days and may yet get through.",
                  this.number(pending)
              )
            : "";
    }

    /** Who went on from a step to the next one, and how soon. */
    wentOn(next) {
        const share = this.percent(next.of_previous);
        return next.count
            ? _t("%(share)s went on, half of them within %(time)s", {
                  share,
                  time: this.span(next.seconds),
              })
            : _t("%s went on", share);
    }

    /** How wide the bar of a step is, in percent. */
    width(step) {
        return 100 * (step.of_first || 0);
    }

    /** A length of time in its greatest unit. */
    span(seconds) {
        const [size, words] = UNITS.find(([size]) => seconds >= size) || UNITS.at(-1);
        const value = seconds / size;
        return words(this.number(value < 10 ? Math.round(value * 10) / 10 : Math.round(value)));
    }

    customersOf(step, index, lost = false) {
        const known = lost ? step.lost_known : step.known;
        return {
            known,
            title: known
                ? _t("Show the customers who reached “%s”", step.name)
                : _t("None of them is a known customer"),
            args: { step: index + 1, lost },
        };
    }

    download() {
        const { steps, breakdown } = this.state.result;
        const rows = [
            [
                _t("Step"),
                _t("Name"),
                _t("People"),
                _t("Known customers"),
                _t("Share of the first step"),
                _t("Share of the step before"),
                _t("Did not go on"),
                _t("Median seconds from the step before"),
                _t("Median seconds from the first step"),
            ],
            ...steps.map((step, index) => [
                index + 1,
                step.name,
                step.count,
                step.known,
                step.of_first,
                step.of_previous,
                step.lost,
                step.seconds,
                step.seconds_first,
            ]),
        ];
        if (breakdown) {
            rows.push(
                [],
                [breakdown.label, ...steps.map((step) => step.name)],
                ...breakdown.rows.map((row) => [row.name, ...row.counts])
            );
        }
        this.downloadRows(rows);
    }
}

registry.category("view_widgets").add("behavior_funnel", { component: Funnel });
