/*
 * The tracking script: page views (also of pages that change without loading), clicks,
 * forms, errors, web vitals, identify and track, in Segment's format.
 *
 *   <script defer src="https://…/behavior/sdk.js" data-key="<write key>"></script>
 *
 * Nothing is stored and nothing is sent before the visitor has agreed: to optional
 * cookies in Odoo's cookies bar, or through behavior.consent(true) on any other page.
 * Do-Not-Track and Global Privacy Control are a no. Until then calls are held in the
 * memory of the page only. What is collected is listed in dimensions.json.
 */
import {watchClicks} from "./clicks";
import {describeClient} from "./client";
import {watchErrors} from "./errors";
import {watchForms} from "./forms";
import {redactAll} from "./mask";
import {Pages} from "./pages";
import {Queue} from "./queue";
import {forget, isOpen, readQueue, readState, uuid} from "./store";
import {stamp} from "./visitor";
import {watchVitals} from "./vitals";

const VERSION = "2.0.0";
const MAX_HELD = 200;
// A page that has run wild: ten messages a second, a hundred at once.
const RATE = {burst: 100, a_second: 10};

class Behavior {
    constructor(script, early) {
        this.version = VERSION;
        this.waiting = early;
        this.agreed = false;
        this.held = [];
        this.dropped = 0;
        this.tokens = RATE.burst;
        this.refilled = performance.now();
        this.queue = new Queue(
            new URL("/v1/batch", script.src).href,
            script.dataset.key,
            (messages, response) => this.explain(messages, response)
        );
        this.pages = new Pages(this);
        if (script.dataset.auto !== "off") {
            this.forms = watchForms(this);
            watchClicks(this);
            watchErrors(this);
        }
    }

    // -- messages ---------------------------------------------------------------

    message(type, values) {
        const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
        return {
            type,
            messageId: uuid(),
            timestamp: new Date().toISOString(),
            context: {
                library: {name: "behavior.js", version: VERSION, dropped: this.dropped},
                page: this.pages.describe(),
                locale: navigator.language,
                timezone: zone,
                timezone_offset: -new Date().getTimezoneOffset(),
            },
            ...values,
        };
    }

    isTooMuch() {
        const now = performance.now();
        const fresh = ((now - this.refilled) / 1000) * RATE.a_second;
        this.tokens = Math.min(RATE.burst, this.tokens + fresh);
        this.refilled = now;
        if (this.tokens < 1) {
            this.dropped += 1;
            return true;
        }
        this.tokens -= 1;
        return false;
    }

    /** What was chosen in the cookies bar; once, since the page stands still for it. */
    readChoice() {
        if (!this.hasChoice) {
            this.hasChoice = true;
            if (cookieConsent()) {
                this.consent(true, "cookies_bar");
            }
        }
    }

    /** The first page view, and what the page has said before the script was there. */
    begin() {
        if (this.waiting) {
            this.readChoice();
            const calls = this.waiting;
            this.waiting = null;
            if (this.forms) {
                // The browser has kept what it has measured until now.
                this.vitals = watchVitals();
            }
            this.page();
            calls.forEach((call) => this.push(call));
        }
    }

    send(type, values) {
        this.begin();
        if (!this.isTooMuch()) {
            const message = this.message(type, values);
            if (type === "page") {
                Object.assign(message.context.page, this.pages.describeView());
                Object.assign(
                    message.context,
                    describeClient(this.agreed ? isOpen() : undefined),
                    this.arrival
                );
            }
            this.enqueue(message);
        }
    }

    enqueue(message) {
        if (this.agreed) {
            this.queue.add(stamp(message, this.basis));
        } else {
            this.held = this.held.concat(message).slice(-MAX_HELD);
        }
    }

    // -- for pages ----------------------------------------------------------------

    page(name, properties) {
        this.begin();
        this.leave();
        this.arrival = this.pages.begin();
        const {path, url, search, title, referrer} = this.pages.describe();
        const values = {
            properties: {path, url, search, title, referrer, ...redactAll(properties || {})},
        };
        if (name) {
            values.name = String(name);
        }
        this.send("page", values);
    }

    track(event, properties) {
        this.send("track", {event, properties: redactAll(properties || {})});
    }

    identify(userId, traits) {
        const named = userId !== null && typeof userId !== "object";
        this.send("identify", {
            traits: (named ? traits : userId) || {},
            ...(named && userId && {userId: String(userId)}),
        });
    }

    group(groupId, traits) {
        this.send("group", {groupId: String(groupId), traits: traits || {}});
    }

    /** The visitor's id, for what else serves the page; none before consent. */
    anonymousId() {
        this.readChoice();
        if (this.agreed && !readState().anonymousId) {
            this.begin();
        }
        return this.agreed ? readState().anonymousId : undefined;
    }

    /** Forget who this visitor is: at log-out. */
    reset() {
        this.readChoice();
        if (this.agreed) {
            this.queue.flushAtEnd();
        }
        forget();
    }

    flush() {
        return this.queue.flush();
    }

    /** Tell in the browser's console what became of each message. */
    debug(on = true) {
        this.explaining = on;
    }

    consent(yes, basis = "page") {
        this.hasChoice = true;
        if (yes && !isRefused()) {
            this.agreed = true;
            this.basis = basis;
            this.held.splice(0).forEach((message) => {
                if (message.context.browser) {
                    message.context.browser.storage = isOpen();
                }
                this.enqueue(message);
            });
            this.pages.sendAbandoned();
            if (readQueue().length) {
                this.queue.schedule(0, true);
            }
        } else {
            this.agreed = false;
            this.held = [];
            this.queue.stop();
            forget();
        }
    }

    push(call) {
        this[call[0]](...call.slice(1));
    }

    // -- what the page does ---------------------------------------------------------

    leave() {
        if (this.pages.view && !this.pages.view.left) {
            this.forms?.leave();
            if (this.vitals && this.pages.number === 1) {
                // They belong to the loading of the document, so they come once.
                this.track("Web Vitals", this.vitals());
            }
            this.pages.leave();
        }
    }

    async explain(messages, response) {
        if (this.explaining) {
            const {verdicts, error} = await response.json();
            (verdicts || messages.map((_message, index) => ({index, status: error.message}))).forEach(
                (verdict) => console.info("behavior", verdict.status, verdict.error || "", messages[verdict.index])
            );
        }
    }
}

function isRefused() {
    return (
        navigator.globalPrivacyControl === true ||
        navigator.doNotTrack === "1" ||
        window.doNotTrack === "1"
    );
}

function cookieConsent() {
    const found = /(?:^|; )website_cookies_bar=([^;]+)/.exec(document.cookie);
    try {
        return JSON.parse(decodeURIComponent(found[1])).optional === true;
    } catch {
        return false;
    }
}

/** Tell of each change of the page's address, after the page has set its title. */
function watchAddress(sdk) {
    const moved = () =>
        setTimeout(() => {
            if (sdk.pages.view && sdk.pages.view.address !== sdk.pages.address) {
                sdk.page();
            }
        });
    for (const name of ["pushState", "replaceState"]) {
        const original = history[name];
        history[name] = function () {
            const result = original.apply(this, arguments);
            moved();
            return result;
        };
    }
    addEventListener("popstate", moved);
    addEventListener("hashchange", moved);
}

function start(script) {
    const early = Array.isArray(window.behavior) ? window.behavior : [];
    const sdk = new Behavior(script, early);
    window.behavior = sdk;
    // The page comes first: asking for a cookie or the time zone takes longer than the
    // rest.
    if (window.requestIdleCallback) {
        requestIdleCallback(() => sdk.begin(), {timeout: 1000});
    } else {
        setTimeout(() => sdk.begin());
    }
    watchAddress(sdk);
    document.addEventListener("optionalCookiesAccepted", () => sdk.consent(true, "cookies_bar"));
    document.addEventListener("optionalCookiesDenied", () => sdk.consent(false));
    document.addEventListener("visibilitychange", () => {
        if (document.visibilityState === "hidden") {
            sdk.pages.keepPending();
            if (sdk.agreed) {
                sdk.flush();
            }
        }
    });
    addEventListener("pagehide", () => {
        sdk.begin();
        sdk.leave();
        if (sdk.agreed) {
            sdk.queue.flushAtEnd();
        }
    });
    addEventListener("pageshow", (event) => {
        // Taken back out of the browser's memory: a view of its own.
        if (event.persisted) {
            sdk.page();
        }
    });
}

const script = document.currentScript;
if (script?.dataset.key && !window.behavior?.version) {
    start(script);
}
