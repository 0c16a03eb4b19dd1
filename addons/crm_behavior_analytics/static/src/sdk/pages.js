/*
 * Page views, also of pages that change without loading, and how long and how far
 * somebody read: the page's leave has the time that the page was seen and used.
 */
import {clean, cleanQuery, cleanUrl} from "./mask";
import {hostOf, readAddress} from "./source";
import {readState, uuid, writeState} from "./store";

// Somebody who has not moved for so long is not reading any more.
const ATTENTION = 15000;
// A page that was hidden for so long is taken as left.
const ABANDONED = 30 * 60 * 1000;
const TICK = 1000;

export class Pages {
    constructor(sdk) {
        this.sdk = sdk;
        this.referrer = document.referrer;
        this.number = 0;
        this.lastInput = performance.now();
        for (const name of ["pointermove", "pointerdown", "keydown", "touchstart", "wheel", "scroll"]) {
            addEventListener(name, () => this.onInput(name), {passive: true, capture: true});
        }
        setInterval(() => this.tick(), TICK);
    }

    get address() {
        const route = /^#[!/]/.test(location.hash) ? location.hash : "";
        return location.pathname + location.search + route;
    }

    /** What each message says of the page it comes from. */
    describe() {
        return {
            path: clean(location.pathname, 500),
            url: cleanUrl(location.href),
            host: location.host,
            search: cleanQuery(location.search) || undefined,
            title: clean(document.title),
            referrer: this.referrer ? cleanUrl(this.referrer) : undefined,
            referring_domain: hostOf(this.referrer) || undefined,
            view_id: this.view?.id,
        };
    }

    /** What only a page view says. */
    describeView() {
        return {
            language: document.documentElement.lang || undefined,
            charset: document.characterSet,
            view_number: this.number,
            navigation:
                this.number > 1
                    ? "in_page"
                    : performance.getEntriesByType("navigation")[0]?.type,
            history_length: history.length,
            is_framed: window.top !== window,
            visibility: document.visibilityState,
            height: document.documentElement.scrollHeight,
            links: document.links.length,
            forms: document.forms.length,
            images: document.images.length,
        };
    }

    begin() {
        if (this.view) {
            this.leave();
            this.referrer = location.origin + this.view.path;
        }
        this.number += 1;
        this.view = {
            id: uuid(),
            address: this.address,
            path: location.pathname,
            started: performance.now(),
            visible: 0,
            active: 0,
            scroll: 0,
            clicks: 0,
            keys: 0,
            copies: 0,
        };
        this.lastInput = performance.now();
        this.measureScroll();
        return {...readAddress(location.search)};
    }

    onInput(name) {
        this.lastInput = performance.now();
        if (name === "scroll") {
            this.measureScroll();
        } else if (name === "keydown" && this.view) {
            this.view.keys += 1;
        } else if (name === "pointerdown" && this.view) {
            this.view.clicks += 1;
        }
    }

    measureScroll() {
        if (this.view && !this.measuring) {
            // Reading sizes costs a layout: once a frame at most.
            this.measuring = requestAnimationFrame(() => {
                this.measuring = 0;
                this.view.scroll = Math.max(this.view.scroll, window.scrollY + window.innerHeight);
            });
        }
    }

    tick() {
        if (this.view && document.visibilityState === "visible") {
            this.view.visible += TICK;
            if (performance.now() - this.lastInput < ATTENTION) {
                this.view.active += TICK;
            }
        }
    }

    summary() {
        const {view} = this;
        const height = document.documentElement.scrollHeight;
        const seen = Math.min(view.scroll || window.innerHeight, height);
        return {
            view_id: view.id,
            path: clean(view.path, 500),
            duration_ms: Math.round(performance.now() - view.started),
            visible_ms: view.visible,
            active_ms: view.active,
            scroll_px: Math.round(seen),
            scroll_percent: height ? Math.round((100 * seen) / height) : 100,
            page_height: height,
            clicks: view.clicks,
            keys: view.keys,
            copies: view.copies,
        };
    }

    leave() {
        if (this.view && !this.view.left) {
            this.view.left = true;
            this.sdk.track("Page Left", this.summary());
            this.forgetPending();
        }
    }

    /**
     * A telephone ends a page that is not seen without a word: what is known of it is
     * kept, and sent with the next visit unless the page has said it itself.
     */
    keepPending() {
        if (this.view && !this.view.left && this.sdk.agreed) {
            const state = readState();
            const message = this.sdk.message("track", {
                event: "Page Left",
                properties: this.summary(),
            });
            state.pending = {...state.pending, [this.view.id]: message};
            writeState(state);
        }
    }

    forgetPending() {
        if (this.sdk.agreed) {
            const state = readState();
            if (state.pending?.[this.view.id]) {
                delete state.pending[this.view.id];
                writeState(state);
            }
        }
    }

    sendAbandoned() {
        const state = readState();
        const found = Object.values(state.pending || {}).filter(
            (message) => Date.now() - Date.parse(message.timestamp) > ABANDONED
        );
        for (const message of found) {
            delete state.pending[message.properties.view_id];
        }
        if (found.length) {
            writeState(state);
            found.forEach((message) => this.sdk.enqueue(message));
        }
    }
}
