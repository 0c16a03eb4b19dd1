/*
 * Who the visitor is over time: ids, visits, first and last touch. Each message is
 * stamped with it when it enters the queue, which is after consent.
 */
import {readState, uuid, writeState} from "./store";
import {clean, cleanUrl} from "./mask";
import {readTouch} from "./source";

const IDLE = 30 * 60 * 1000;
const DAY = 24 * 60 * 60 * 1000;

const iso = (time) => new Date(time).toISOString();

function beginSession(state, now) {
    const old = state.session;
    return {
        id: uuid(),
        number: (old?.number || 0) + 1,
        started: now,
        previous: old?.last,
        entry_path: clean(location.pathname),
        entry_referrer: document.referrer ? cleanUrl(document.referrer) : undefined,
        page_views: 0,
        events: 0,
    };
}

/**
 * Stamp a message; the state of the visitor moves on with it.
 *
 * @param {object} message it gets ids and context
 * @param {object} basis how and when the visitor agreed
 */
export function stamp(message, basis) {
    const now = Date.parse(message.timestamp);
    const state = readState();
    state.anonymousId = state.anonymousId || uuid();
    state.first = state.first || now;
    state.consent = state.consent || {basis, at: iso(now)};
    if (!state.session || now - state.session.last > IDLE) {
        state.session = beginSession(state, now);
        const touch = readTouch(document.referrer);
        if (touch || !state.last_touch) {
            state.last_touch = touch || {channel: "direct", source: "direct", at: iso(now)};
        }
        state.first_touch = state.first_touch || state.last_touch;
    }
    const {session} = state;
    const isPage = message.type === "page";
    session.last = Math.max(now, session.last || 0);
    session.events += 1;
    session.page_views += isPage;
    state.views = (state.views || 0) + isPage;

    message.anonymousId = state.anonymousId;
    if (message.type === "identify" && message.userId) {
        state.userId = message.userId;
    } else if (state.userId && !message.userId) {
        message.userId = state.userId;
    }
    const {context} = message;
    context.session = {
        id: session.id,
        number: session.number,
        is_first: session.number === 1,
        started_at: iso(session.started),
        duration_s: Math.max(0, Math.round((now - session.started) / 1000)),
        event_number: session.events,
        page_number: session.page_views,
        entry_path: session.entry_path,
        entry_referrer: session.entry_referrer,
    };
    if (isPage) {
        context.visitor = {
            first_seen_at: iso(state.first),
            is_new: session.number === 1,
            days_since_first: Math.floor((now - state.first) / DAY),
            days_since_last: session.previous
                ? Math.floor((now - session.previous) / DAY)
                : undefined,
            page_views: state.views,
        };
        context.first_touch = state.first_touch;
        context.last_touch = state.last_touch;
        context.consent = state.consent;
    }
    writeState(state);
    return message;
}
