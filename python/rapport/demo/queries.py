"""The SQL that draws the synthetic people and the rows that they leave on the platform.

Every random number is a hash of (seed, participant, purpose), so a value depends on nothing but
its own key: not on the number of threads, the part file, or the order of evaluation. Moments are
seconds since 1970 (UTC) until a row is written. The queries read these session variables:
``demo_seed``, ``therapists`` and ``coaches`` (how many there are), and ``first_no`` and ``last_no``
(the participants to draw: from the first up to, without, the last).
"""

from __future__ import annotations

from typing import Final

TABLES: Final = ("participants", "who5_assessments", "sessions", "alliance_ratings")

MACROS: Final = """
create macro hashed(h, purpose) as hash(xor(h, hash(purpose)));

create macro uniform(h, purpose) as
    (hashed(h, purpose) >> 11)::double / 9007199254740992.0;

-- A whole number from 0 to n - 1.
create macro pick(h, purpose, n) as ((hashed(h, purpose) >> 33)::bigint * (n)) >> 31;

-- Sum of four 16-bit uniforms about its mean: near-normal, standard deviation 37837.
create macro bell(h, purpose) as (
    (hashed(h, purpose) & 65535)
    + ((hashed(h, purpose) >> 16) & 65535)
    + ((hashed(h, purpose) >> 32) & 65535)
    + (hashed(h, purpose) >> 48)
)::bigint - 131070;

create macro normal(h, purpose) as bell(h, purpose) / 37837.0;

create macro exponential(h, purpose) as -ln(1.0 - uniform(h, purpose));

create macro whole(x) as floor(x)::bigint;

-- `level` with normal noise, to the nearest whole number (in integers: casts are the slow part).
create macro noisy(level, noise, h, purpose) as
    (whole((level + 0.5) * 37837.0 / noise) + bell(h, purpose)) // whole(37837.0 / noise);

create macro clamp(x, low, high) as greatest(low, least(high, x));

create macro epoch_of(moment) as epoch(moment::timestamp)::bigint;

create macro moment(seconds) as make_timestamp((seconds) * 1000000);

-- `beyond` is the power of ten that gives the number its width.
create macro key(prefix, beyond, number) as prefix || substr((beyond + number)::varchar, 2);

-- The same day, on a quarter of an hour of the service's working day.
create macro on_the_clock(seconds, h, purpose) as
    (seconds) // 86400 * 86400 + 12 * 3600 + pick(h, purpose, 44) * 900;

-- When session slot `slot` of a person falls: evenly spaced with some wobble.
create macro slot_starts(h, first_slot, spacing, slot) as case
    when slot = 0 then first_slot
    else on_the_clock(
        first_slot + spacing * slot - spacing * 3 // 10
            + pick(hash(xor(h, hash(slot))), 'wobble', spacing * 6 // 10),
        hash(xor(h, hash(slot))),
        'clock'
    )
end;

-- The load of the night after the event; a corrected row comes weeks after the row it replaces.
create macro loaded(event, h, version) as
    ((event) // 86400 + 1) * 86400 + 3 * 3600 + pick(h, 'load', 1800)
    + case
        when version = 'correction' then (1 + pick(h, 'correction', 40)) * 86400
        else 0
    end;

-- How a row came to be in the export: once, as a stale row and its correction, or sent twice.
-- Of the stale pairs, half arrive in order and half have the stale row in the later file.
create macro history(seen_again, h) as case
    when not seen_again then 'once'
    when uniform(h, 'history') < 0.08 then 'corrected, stale row late'
    when uniform(h, 'history') < 0.16 then 'corrected, correction late'
    when uniform(h, 'history') < 0.22 then 'sent twice'
    else 'once'
end;
"""

# Participant 1 is always an adult in care who rates, so that
# no table is empty however few people are asked for.
PEOPLE: Final = """
create or replace temp table people as
with seats as (
    select
        no,
        hash(xor(hash(no), hash(getvariable('demo_seed')::bigint))) as h
    from range(getvariable('first_no')::bigint, getvariable('last_no')::bigint) as seats (no)
),

traits as (
    select
        no,
        h,
        no = 1 as anchor,
        case
            when no > 1 and uniform(h, 'minor') < 0.02 then 13 + pick(h, 'teen', 5)
            else clamp(whole(exp(3.54 + 0.2415 * normal(h, 'age')) + 0.5), 18, 90)
        end as age_years,
        case
            when uniform(h, 'sex') < 0.54 then 'female'
            when uniform(h, 'sex') < 0.82 then 'male'
        end as sex,
        case
            when uniform(h, 'country known') < 0.012 then null
            when uniform(h, 'country') < 0.76 then 'US'
            when uniform(h, 'country') < 0.81 then 'GB'
            when uniform(h, 'country') < 0.85 then 'CA'
            when uniform(h, 'country') < 0.89 then 'IN'
            when uniform(h, 'country') < 0.92 then 'DE'
            when uniform(h, 'country') < 0.94 then 'IE'
            when uniform(h, 'country') < 0.96 then 'SG'
            when uniform(h, 'country') < 0.975 then 'AU'
            when uniform(h, 'country') < 0.985 then 'BR'
            when uniform(h, 'country') < 0.995 then 'JP'
            else 'NA'  -- Namibia, which careless readers take for a missing value
        end as country_code,
        no = 1 or uniform(h, 'sponsored') < 0.95 as employer_sponsored,
        no = 1 or uniform(h, 'registered') < 0.96 as registered,
        case
            when no > 1 and uniform(h, 'care') < 0.10 then 'none'
            when uniform(h, 'modality') < 0.19 then 'teletherapy'
            when uniform(h, 'modality') < 0.84 then 'telecoaching'
            else 'both'
        end as care
    from seats
),

plans as (
    select
        *,
        -- Who never finishes registering is rarely seen in care.
        care <> 'none' and (registered or uniform(h, 'unregistered care') < 0.1) as in_care,
        no > 1 and uniform(h, 'attends') < 0.03 as never_attends,
        case
            when care = 'teletherapy' then
                1 + whole(exponential(h, 'therapy') * 2.6 + exponential(h, 'more therapy') * 2.6)
            when care = 'both' then 1 + whole(exponential(h, 'therapy') * 4.9)
            else 0
        end as therapy_slots,
        case
            when care = 'telecoaching' then 1 + whole(exponential(h, 'coaching') * 2.8)
            when care = 'both' then 1 + whole(exponential(h, 'coaching') * 4.9)
            else 0
        end as coaching_slots,
        case
            when no = 1 then on_the_clock(epoch_of('2021-02-01'), h, 'first clock')
            else on_the_clock(
                epoch_of('2020-08-15') + pick(h, 'first slot', 415 * 86400),
                h,
                'first clock'
            )
        end as first_slot,
        3600 + whole(
            86400 * least(
                exponential(h, 'lag') * if(uniform(h, 'late starter') < 0.22, 150.0, 18.0),
                500.0
            )
        ) as registration_lag,
        whole(86400 * clamp(exp(2.45 + 0.5 * normal(h, 'spacing')), 3.0, 60.0)) as spacing,
        clamp(
            case care
                when 'teletherapy' then 26 + 15 * normal(h, 'baseline')
                when 'both' then 39 + 16 * normal(h, 'baseline')
                else 46 + 17 * normal(h, 'baseline')
            end,
            0, 100
        ) as baseline_level,
        case
            when uniform(h, 'delighted') < 0.33 then 6.2
            else 5.0 - 0.55 * exponential(h, 'alliance') + if(sex = 'female', 0.06, 0.0)
                - if(care = 'teletherapy', 0.12, 0.0)
        end as alliance_level,
        case
            when no = 1 then 1.0
            when uniform(h, 'rates') < 0.22 then 0.0
            else 0.45 + 0.55 * uniform(h, 'rating rate')
        end as rating_rate
    from traits
)

select
    no,
    h,
    anchor,
    age_years::integer as age_years,
    sex,
    country_code,
    employer_sponsored,
    registered,
    in_care,
    never_attends,
    if(in_care, least(therapy_slots, 30), 0)::integer as therapy_slots,
    if(in_care, least(coaching_slots, 30), 0)::integer as coaching_slots,
    first_slot,
    first_slot - registration_lag as created,
    spacing,
    slot_starts(
        h,
        first_slot,
        spacing,
        if(in_care, least(therapy_slots, 30) + least(coaching_slots, 30) - 1, 0)
    ) as last_slot,
    baseline_level,
    clamp(
        22.0 + 0.66 * baseline_level + 2.5 * (clamp(alliance_level, 1.0, 5.0) - 4.5)
        - if(care = 'both', 4.5, 0.0) + 17.0 * normal(h, 'follow-up'),
        0, 100
    ) as followup_level,
    alliance_level,
    rating_rate,
    uniform(h, 'seen again') < 0.1 as seen_again
from plans;

create or replace temp table people_seen_again as
from people
where seen_again
"""

# The true rows, one per event, with what the four tables need to write them down.
EVENTS: Final = """
create temp macro skips(h, item) as
    uniform(h, 'skips all') < 0.003
    or (uniform(h, 'skips') < 0.03 and pick(h, 'skipped', 5) = item - 1);

create temp macro answered(h, level, item) as
    if(
        skips(h, item),
        null,
        clamp(noisy(level / 20.0, 0.5, h, item), 0, 5)
    )::integer;

create temp macro participants_facts(source) as table
select
    no as number,
    h as row_h,
    created as event,
    registered,
    age_years,
    sex,
    country_code,
    employer_sponsored,
    seen_again
from query_table(source);

create temp macro who5_assessments_facts(source) as table
with occasions as (
    select
        *,
        unnest(range(10)) as occasion
    from query_table(source)
),

taken as (
    select
        *,
        case
            -- Intake, and the same intake sent again with other answers.
            when occasion in (0, 1) then created + 300 + pick(h, 'intake', 900)
            -- A second look before care starts.
            when occasion = 2 then
                created + 1500 + pick(h, 'retake', first_slot - created - 1500)
            when occasion = 3 then first_slot + pick(h, 'mid', last_slot - first_slot)
            when occasion = 4 then first_slot + pick(h, 'mid2', last_slot - first_slot)
            -- Follow-up, and the same follow-up sent again with other answers.
            when occasion in (5, 6) then
                last_slot + 3600 + whole(exponential(h, 'follow-up wait') * 26 * 86400)
            when occasion = 7 then
                last_slot + (15 + whole(exponential(h, 'long wait') * 70)) * 86400
                + pick(h, 'hour', 86400)
            -- At the very second the first session starts.
            when occasion = 8 then first_slot
            -- A trial of the questionnaire before the account exists.
            else created - 3600 - pick(h, 'trial', 20 * 86400)
        end as event
    from occasions
    where case
        when occasion = 0 then anchor or uniform(h, 'has intake') < if(registered, 0.95, 0.3)
        when occasion = 1 then uniform(h, 'intake again') < 0.015
        when not in_care then occasion in (5, 7) and registered and uniform(h, 'no care') < 0.2
        when occasion = 2 then uniform(h, 'has retake') < 0.22
        when occasion = 3 then uniform(h, 'has mid') < 0.40 and last_slot > first_slot
        when occasion = 4 then uniform(h, 'has mid2') < 0.20 and last_slot > first_slot
        when occasion = 5 then anchor or uniform(h, 'has follow-up') < 0.86
        when occasion = 6 then uniform(h, 'follow-up again') < 0.015
        when occasion = 7 then uniform(h, 'has second follow-up') < 0.40
        when occasion = 8 then uniform(h, 'in session') < 0.012
        else uniform(h, 'has trial') < 0.008
    end
),

levels as (
    select
        -- Rotated per person, so that the order of the keys is not the order in time.
        no * 10 + (occasion + (h % 10)::bigint) % 10 as number,
        hash(xor(h, hash(100 + occasion))) as row_h,
        event,
        no,
        seen_again,
        case
            when occasion in (3, 4, 8) then (baseline_level + followup_level) / 2.0
            when occasion in (5, 6, 7) then followup_level
            else baseline_level
        end + if(
            occasion in (0, 5),
            0.0,
            7.0 * normal(hash(xor(h, hash(100 + occasion))), 'state')
        ) as level
    from taken
    where event < epoch_of('2021-12-15')
)

select
    number,
    row_h,
    event,
    no,
    seen_again,
    answered(row_h, level, 1) as item_1,
    answered(row_h, level, 2) as item_2,
    answered(row_h, level, 3) as item_3,
    answered(row_h, level, 4) as item_4,
    answered(row_h, level, 5) as item_5
from levels;

create temp macro sessions_facts(source) as table
with slots as (
    select
        *,
        therapy_slots + coaching_slots as slots,
        unnest(range(therapy_slots + coaching_slots)) as slot
    from query_table(source)
    where in_care
),

booked as (
    select
        *,
        hash(xor(h, hash(slot))) as row_h,
        -- Spreads the therapist's slots evenly among all.
        (slot + 1) * therapy_slots // slots > slot * therapy_slots // slots as with_therapist
    from slots
),

held as (
    select
        no * 100 + slot as number,
        row_h,
        no,
        anchor,
        seen_again,
        alliance_level,
        rating_rate,
        with_therapist,
        case
            -- The first and last second of the study window, and the seconds outside it.
            when anchor or uniform(row_h, 'edge') >= 0.003 then
                slot_starts(h, first_slot, spacing, slot)
            when uniform(row_h, 'which edge') < 0.25 then epoch_of('2020-09-28 23:59:59')
            when uniform(row_h, 'which edge') < 0.50 then epoch_of('2020-09-29 00:00:00')
            when uniform(row_h, 'which edge') < 0.75 then epoch_of('2021-10-12 23:59:59')
            else epoch_of('2021-10-13 00:00:00')
        end as event,
        case
            when anchor and slot = 0 then 'completed'
            when not never_attends and uniform(row_h, 'status') < 0.88 then 'completed'
            when uniform(row_h, 'excused') < 0.7 then 'cancelled'
            else 'no_show'
        end as status,
        case
            -- Some change their provider on the way.
            when with_therapist then 1 + (
                hashed(h, if(uniform(h, 'switch') * slots > slot, 'therapist', 'therapist 2'))
                % getvariable('therapists')::ubigint
            )::bigint
            else 1 + (
                hashed(h, if(uniform(h, 'switch') * slots > slot, 'coach', 'coach 2'))
                % getvariable('coaches')::ubigint
            )::bigint
        end as provider_no
    from booked
)

select
    number,
    row_h,
    event,
    no,
    anchor,
    seen_again,
    alliance_level,
    rating_rate,
    key(if(with_therapist, 'T', 'C'), 1_000_000, provider_no) as provider_id,
    if(with_therapist, 'therapist', 'coach') as provider_type,
    status,
    case
        when uniform(row_h, 'no duration') < 0.04 or status <> 'completed' then null
        when with_therapist then 45 + pick(row_h, 'minutes', 11)
        else 25 + pick(row_h, 'minutes', 11)
    end::integer as duration_minutes
from held
where event < epoch_of('2021-12-15');

create temp macro liked(h, level, item) as
    if(
        uniform(h, 'skips both') < 0.02
        or (uniform(h, 'skips one') < 0.05 and (uniform(h, 'skipped') < 0.5) = (item = 'bond')),
        null,
        clamp(noisy(level, 0.6, h, item), 1, 5)
    )::integer;

create temp macro alliance_ratings_facts(source) as table
with asked as (
    select
        number as session_number,
        row_h as session_h,
        event as session_event,
        seen_again,
        -- The odd rating is submitted twice, with other answers.
        unnest(if(uniform(row_h, 'twice') < 0.012, [0, 1], [0])) as submission,
        alliance_level
            + 0.15 * normal(hash(provider_id), 'provider')
            + 0.2 * normal(row_h, 'mood') as level
    from sessions_facts(source)
    where case
        when anchor then status = 'completed'
        when status = 'completed' then uniform(row_h, 'rated') < rating_rate
        else uniform(row_h, 'rated') < 0.03 * rating_rate
    end
),

submitted as (
    select
        *,
        session_number * 10 + submission as number,
        hash(xor(session_h, hash(200 + submission))) as row_h
    from asked
)

select
    number,
    row_h,
    session_number,
    seen_again,
    -- A few clocks run wrong: a rating before its session.
    session_event + case
        when uniform(row_h, 'wrong clock') < 0.004 then -1800
        else 1800 + whole(exponential(row_h, 'rating wait') * 6 * 3600)
    end as event,
    liked(row_h, level, 'bond') as bond_item,
    liked(row_h, level, 'goals') as goals_item
from submitted
"""

# The columns of each table: as they are, or (`stale`) as an earlier load had them.
_COLUMNS: Final = {
    "participants": """
    key('P', 1_000_000_000, number) as participant_id,
    if(registered, moment(event), null) as registered_at,
    if(stale, age_years - 1, age_years)::integer as age_years,
    if(stale and uniform(row_h, 'late sex') < 0.3, null, sex) as sex,
    if(stale and uniform(row_h, 'late country') < 0.3, null, country_code) as country_code,
    if(stale and uniform(row_h, 'late sponsor') < 0.4, not employer_sponsored, employer_sponsored)
        as employer_sponsored""",
    "who5_assessments": """
    key('A', 10_000_000_000, number) as assessment_id,
    key('P', 1_000_000_000, no) as participant_id,
    moment(event) as completed_at,
    if(stale, coalesce(5 - item_1, 2), item_1)::integer as item_1,
    item_2,
    if(stale and uniform(row_h, 'late item') < 0.5, null, item_3)::integer as item_3,
    item_4,
    item_5""",
    "sessions": """
    key('S', 100_000_000_000, number) as session_id,
    key('P', 1_000_000_000, no) as participant_id,
    provider_id,
    provider_type,
    moment(event) as started_at,
    case
        when not stale then status
        when status = 'completed' then 'no_show'
        else 'completed'
    end as status,
    duration_minutes""",
    "alliance_ratings": """
    key('R', 1_000_000_000_000, number) as rating_id,
    key('S', 100_000_000_000, session_number) as session_id,
    moment(event) as submitted_at,
    if(stale, coalesce(bond_item % 5 + 1, 3), bond_item)::integer as bond_item,
    goals_item""",
}


def _rows(table: str, people: str, stale_history: str, condition: str) -> str:
    return f"""
with facts as (
    select
        *,
        history(seen_again, row_h) as history,
        history(seen_again, row_h) = '{stale_history}' as stale
    from {table}_facts('{people}')
)

select{_COLUMNS[table]},
    moment(
        loaded(
            event,
            row_h,
            if(history like 'corrected%' and not stale, 'correction', 'first')
        )
    ) as loaded_at
from facts
where {condition}"""


def first_rows(table: str) -> str:
    """Each row of ``table`` once, person by person; some are stale."""
    return _rows(table, "people", "corrected, correction late", "true")


def late_rows(table: str) -> str:
    """What reached the export again: corrections, stale rows out of order, and exact copies."""
    return _rows(table, "people_seen_again", "corrected, stale row late", "history <> 'once'")


# An answer falls as well-being rises, with noise of its own, and a few are skipped. All of it hangs on the key, the
# delivery and the seed, so the same export is written again.
_PHQ9_ITEM: Final = """
    case
        when hash(assessment_id, {i}, 'skipped', getvariable('demo_seed')) % 500 = 0 then null
        else greatest(least(cast(floor(
            3.2 - coalesce(item_1 + item_2 + item_3 + item_4 + item_5, 12) / 8.0
            + (hash(assessment_id, loaded_at, {i}, 'answer', getvariable('demo_seed')) % 1000) / 700.0 - 0.5
        ) as integer), 3), 0)
    end as item_{i}"""

FURTHER: Final = {
    "phq9_assessments": "select 'Q' || assessment_id as assessment_id, participant_id,"
    " completed_at + interval 1 minute as completed_at,"
    + ",".join(_PHQ9_ITEM.format(i=i) for i in range(1, 10))
    + ", loaded_at from {who5}"
    " where hash(assessment_id, 'filled in', getvariable('demo_seed')) % 10 < 9",
}
"""Optional tables, each a query of the rows of ``{who5}``."""
