/*
 * Where a visitor comes from: campaign parameters, the click IDs of advertising
 * networks, and the referrer.
 */
import {clean, cleanUrl} from "./mask";

const CAMPAIGN = ["source", "medium", "name", "term", "content", "id"];
const CLICKS = {
    gclid: "google",
    wbraid: "google",
    gbraid: "google",
    msclkid: "microsoft",
    fbclid: "meta",
    ttclid: "tiktok",
    twclid: "x",
    li_fat_id: "linkedin",
    bd_vid: "baidu",
    qz_gdt: "tencent",
    gdt_vid: "tencent",
    wx_aid: "tencent",
    clickid: "douyin",
};
const SEARCH = /(^|\.)(baidu|google|bing|sogou|so|sm|duckduckgo|yandex|yahoo)\./;
const SOCIAL = /(^|\.)(weixin|wechat|weibo|douyin|xiaohongshu|zhihu|bilibili|facebook|instagram|linkedin|tiktok|twitter|youtube|t|x)\.(com|cn|co|qq\.com)$|weixin\.qq\.com$/;
const PAID = /^(cpc|ppc|paid|cpm|display)/i;

/** @returns {{campaign: object?, click: object?}} what the address says */
export function readAddress(search) {
    const params = new URLSearchParams(search);
    const campaign = {};
    for (const name of CAMPAIGN) {
        const value = params.get(`utm_${name === "name" ? "campaign" : name}`);
        if (value) {
            campaign[name] = clean(value);
        }
    }
    const id = Object.keys(CLICKS).find((name) => params.get(name));
    return {
        campaign: Object.keys(campaign).length ? campaign : undefined,
        click: id && {
            id: clean(params.get(id)),
            parameter: id,
            network: CLICKS[id],
        },
    };
}

export function hostOf(address) {
    try {
        return new URL(address).hostname;
    } catch {
        return "";
    }
}

function channel({campaign, click}, domain) {
    if (click || PAID.test(campaign?.medium || "")) {
        return "paid";
    }
    if (campaign) {
        return campaign.medium || "campaign";
    }
    if (!domain) {
        return "direct";
    }
    return SEARCH.test(domain) ? "search" : SOCIAL.test(domain) ? "social" : "referral";
}

/** One touch: how the visitor came this time, or null for a step within the site. */
export function readTouch(referrer) {
    const found = readAddress(location.search);
    const domain = hostOf(referrer);
    if (domain === location.hostname && !found.campaign && !found.click) {
        return null;
    }
    return {
        channel: channel(found, domain),
        source: found.campaign?.source || found.click?.network || domain || "direct",
        medium: found.campaign?.medium,
        campaign: found.campaign?.name,
        referrer: referrer ? cleanUrl(referrer) : undefined,
        landing_page: clean(location.pathname),
        at: new Date().toISOString(),
    };
}
