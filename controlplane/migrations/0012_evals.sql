-- Questions with answers that can be checked, and what models made of them.

create table eval_suite (
    id          text primary key,
    name        text not null,
    description text not null default '',
    builtin     bool not null default false,
    created_at  timestamptz not null default date_trunc('milliseconds', now()),
    updated_at  timestamptz not null default date_trunc('milliseconds', now())
);

create trigger touch before update on eval_suite for each row execute function touch_updated_at();

create table eval_case (
    suite_id    text not null references eval_suite (id) on delete cascade,
    id          text not null,
    position    int not null,
    name        text not null,
    model       text,                                      -- null = only with a target
    input       jsonb not null,                            -- {messages, max_tokens?}
    expected    jsonb not null,                            -- {strategy, value}
    tags        text[] not null default '{}',
    primary key (suite_id, id)
);

-- A run outlives its suite.
create table eval_run (
    id          uuid primary key,
    suite_id    text not null,
    suite_name  text not null,
    target      jsonb not null,                            -- {type, id?}
    group_id    uuid,                                      -- of runs that are compared
    actor       text not null,
    started_at  timestamptz not null default now(),
    touched_at  timestamptz not null default now(),        -- whoever runs it is alive
    finished_at timestamptz,
    cancelled_at timestamptz,
    total       int not null,
    passed      int not null default 0,
    failed      int not null default 0,
    pass_rate   int not null default 0,                    -- percent
    results     jsonb not null default '[]'
);

create index eval_run_by_start on eval_run (started_at desc);

insert into eval_suite (id, name, description, builtin) values
    ('golden-set', 'Golden set', 'Short questions with one right answer: does a model answer at all, and as it is told?', true),
    ('coding-proficiency', 'Coding proficiency', 'Small tasks of programmers whose answers can be looked for.', true),
    ('reasoning-logic', 'Reasoning and logic', 'Short puzzles in which the first idea is often the wrong one.', true),
    ('multilingual', 'Multilingual', 'Understanding and writing languages other than English.', true);

insert into eval_case (suite_id, id, position, name, input, expected, tags) values
    ('golden-set', 'capital', 1, 'Capital of France',
     '{"messages": [{"role": "user", "content": "What is the capital of France? Answer with the name of the city only."}]}',
     '{"strategy": "contains", "value": "Paris"}', '{facts}'),
    ('golden-set', 'arithmetic', 2, 'Product',
     '{"messages": [{"role": "user", "content": "What is 17 times 23? Answer with the number only."}]}',
     '{"strategy": "contains", "value": "391"}', '{math}'),
    ('golden-set', 'boiling', 3, 'Boiling point',
     '{"messages": [{"role": "user", "content": "At how many degrees Celsius does water boil at sea level? Answer with the number only."}]}',
     '{"strategy": "regex", "value": "\\b100\\b"}', '{facts}'),
    ('golden-set', 'red-planet', 4, 'The red planet',
     '{"messages": [{"role": "user", "content": "Which planet of the solar system is called the red planet? Answer with its name only."}]}',
     '{"strategy": "contains", "value": "Mars"}', '{facts}'),
    ('golden-set', 'gold', 5, 'Symbol of gold',
     '{"messages": [{"role": "user", "content": "What is the chemical symbol of gold? Answer with the symbol only."}]}',
     '{"strategy": "regex", "value": "\\bAu\\b"}', '{facts}'),
    ('golden-set', 'leap-year', 6, 'Leap year',
     '{"messages": [{"role": "user", "content": "Was the year 1900 a leap year in the Gregorian calendar? Answer yes or no."}]}',
     '{"strategy": "regex", "value": "(?i)\\bno\\b"}', '{reasoning}'),
    ('golden-set', 'json', 7, 'JSON only',
     '{"messages": [{"role": "user", "content": "Reply with a JSON object that has one key, \"status\", whose value is the string \"ok\". Reply with nothing else."}]}',
     '{"strategy": "regex", "value": "\"status\"\\s*:\\s*\"ok\""}', '{format}'),
    ('golden-set', 'one-word', 8, 'One word',
     '{"messages": [{"role": "user", "content": "Reply with the single word pineapple, in lower case, and nothing else."}]}',
     '{"strategy": "regex", "value": "^\\s*pineapple\\.?\\s*$"}', '{format}'),
    ('golden-set', 'reverse', 9, 'Order',
     '{"messages": [{"role": "user", "content": "List the numbers from 5 down to 1, separated by commas, without spaces and without anything else."}]}',
     '{"strategy": "contains", "value": "5,4,3,2,1"}', '{format}'),
    ('golden-set', 'unknown', 10, 'Unknown',
     '{"messages": [{"role": "user", "content": "What is the first name of the tooth fairy of the town Xq7-Blorptown? If this cannot be known, reply with the word UNKNOWN only."}]}',
     '{"strategy": "contains", "value": "unknown"}', '{honesty}'),
    ('coding-proficiency', 'python-reverse', 1, 'Reverse a string',
     '{"messages": [{"role": "user", "content": "Write a Python expression that reverses the string held by the variable s. Reply with the expression only."}]}',
     '{"strategy": "regex", "value": "\\[\\s*::\\s*-1\\s*\\]|reversed\\("}', '{python}'),
    ('coding-proficiency', 'sql-count', 2, 'Count rows',
     '{"messages": [{"role": "user", "content": "Write a SQL query that counts all rows of the table users. Reply with the query only."}]}',
     '{"strategy": "regex", "value": "(?is)select\\s+count\\(.*\\)\\s+.*from\\s+users"}', '{sql}'),
    ('coding-proficiency', 'big-o', 3, 'Binary search',
     '{"messages": [{"role": "user", "content": "What is the worst-case time complexity of binary search in a sorted array of n elements? Use big O notation."}]}',
     '{"strategy": "regex", "value": "(?i)O\\(\\s*log(_?2|₂)?\\s*\\(?\\s*n"}', '{algorithms}'),
    ('coding-proficiency', 'js-equality', 4, 'Strict equality',
     '{"messages": [{"role": "user", "content": "Which operator of JavaScript compares two values without converting their types? Reply with the operator only."}]}',
     '{"strategy": "contains", "value": "==="}', '{javascript}'),
    ('coding-proficiency', 'http-teapot', 5, 'Not found',
     '{"messages": [{"role": "user", "content": "Which HTTP status code says that a resource does not exist? Reply with the number only."}]}',
     '{"strategy": "contains", "value": "404"}', '{web}'),
    ('reasoning-logic', 'bat-ball', 1, 'Bat and ball',
     '{"messages": [{"role": "user", "content": "A bat and a ball cost 1.10 dollars together. The bat costs one dollar more than the ball. How many cents does the ball cost? Reply with the number only."}]}',
     '{"strategy": "regex", "value": "\\b5\\b"}', '{math}'),
    ('reasoning-logic', 'syllogism', 2, 'Syllogism',
     '{"messages": [{"role": "user", "content": "All roses are flowers. Some flowers fade quickly. Does it follow that some roses fade quickly? Answer yes or no."}]}',
     '{"strategy": "regex", "value": "(?i)\\bno\\b"}', '{logic}'),
    ('reasoning-logic', 'sequence', 3, 'Sequence',
     '{"messages": [{"role": "user", "content": "Which number comes next: 2, 6, 12, 20, 30? Reply with the number only."}]}',
     '{"strategy": "regex", "value": "\\b42\\b"}', '{math}'),
    ('reasoning-logic', 'machines', 4, 'Machines',
     '{"messages": [{"role": "user", "content": "Five machines make five parts in five minutes. How many minutes do a hundred machines take to make a hundred parts? Reply with the number only."}]}',
     '{"strategy": "regex", "value": "\\b5\\b"}', '{math}'),
    ('reasoning-logic', 'overtaking', 5, 'Overtaking',
     '{"messages": [{"role": "user", "content": "In a race you overtake the runner in second place. In which place are you now? Reply with the number only."}]}',
     '{"strategy": "regex", "value": "(?i)\\b(2|2nd|second)\\b"}', '{logic}'),
    ('multilingual', 'french', 1, 'French',
     '{"messages": [{"role": "user", "content": "Translate into French: good morning. Reply with the translation only."}]}',
     '{"strategy": "contains", "value": "bonjour"}', '{fr}'),
    ('multilingual', 'spanish', 2, 'Spanish',
     '{"messages": [{"role": "user", "content": "Translate into Spanish: thank you. Reply with the translation only."}]}',
     '{"strategy": "contains", "value": "gracias"}', '{es}'),
    ('multilingual', 'german', 3, 'German',
     '{"messages": [{"role": "user", "content": "¿Cómo se dice «agua» en alemán? Responde solo con la palabra."}]}',
     '{"strategy": "contains", "value": "Wasser"}', '{de}'),
    ('multilingual', 'japanese', 4, 'Japanese',
     '{"messages": [{"role": "user", "content": "Translate into Japanese, in Japanese script: cat. Reply with the translation only."}]}',
     '{"strategy": "regex", "value": "猫|ねこ|ネコ"}', '{ja}'),
    ('multilingual', 'indonesian', 5, 'Indonesian',
     '{"messages": [{"role": "user", "content": "Apa ibu kota Jepang? Jawab dengan nama kotanya saja."}]}',
     '{"strategy": "contains", "value": "Tokyo"}', '{id}');
