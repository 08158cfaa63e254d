//! Words that matter more, or less, than a vector knows. English, and the negations of a few other languages: in any
//! other language names, numbers, signs and the order of words are compared all the same.

use std::collections::HashSet;
use std::sync::LazyLock;

macro_rules! words {
    ($($words:literal),+) => {
        LazyLock::new(|| [$($words),+].into_iter().flat_map(str::split_whitespace).collect())
    };
}

type Words = LazyLock<HashSet<&'static str>>;

/// What a sentence may begin with, capital or not, without naming anything. As stems.
static OPENERS: Words = words!(
    "
    a about according after all also am an and any are as at be because before between briefly but by calculate can
    compare compute convert correct could count create define describe did do doe draft during each every explain
    find for from generate get give had has have he hello help her here hey hi his how i identify if in is it its
    let list make may me might must my name no not of on one only or our outline please provide rewrite say she
    should show since so solve some state suggest summarise summarize sum tell thank that the their then there these
    they this those to translate under until use using was we were what when where whether which while who whom
    whose why will with without would write yes you your
"
);

/// A question with one of these says something else than the same without it. Of two opposites one is enough. As stems.
static TURNING: Words = words!(
    // negations
    "
    aucun aucune barely cannot except excluding hardly jamais kein keine keinem keinen keiner nada nao neither never
    nicht nie niemal niemand no nobody non none nor not nothing nowhere nunca não ohne pas rarely sans seldom sin
    unless without без не нет никогда
",
    // how much, which one, whose, and when
    "
    above after all alway ascending before below best biggest bottom cheapest descending down earlier earliest early
    every ex fastest fewer fewest final former greatest highest inside largest last late later latest least less
    longest lower lowest max maximal maximum min minimal minimum minus most newest next off oldest only out outside
    over plus previous shortest slowest smallest some top under vice was were worst youngest her his my our their
    your
",
    // what undoes what was done
    "
    ban block cancel close deactivate decline decrease delete deny disable disconnect downgrade end exclude excluded
    forbid hide import install lock logout lose raise refuse reject remove revoke sell stop subscribe unblock undo
    uninstall unlock unsubscribe upload write
",
    // what something is
    "
    adult aunt autumn bad cold con daughter dead death die died disadvantage drawback east eastern effect employee
    false female girl guilty illegal illegally impossible incorrect invalid invisible large left mother negative
    north northern odd optional output private queen receiver seller short sister small south southern spring summer
    unsafe west western wife woman women
"
);

static NUMBERS: Words = words!(
    "
    zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion
    trillion half third quarter double twice triple dozen second fourth fifth sixth seventh eighth ninth tenth
"
);

/// What may stand anywhere, and says little by itself.
static WEAK: Words = words!(
    "
    a about an and any are as at away be by can could did do doe for from get give had has have how i in into is it
    its me my of on or our please should tell that the their there these they this those to up us was we were what
    when where which who will with would you your
"
);

pub fn is_opener(stem: &str) -> bool {
    OPENERS.contains(stem)
}

pub fn is_turning(stem: &str) -> bool {
    TURNING.contains(stem)
}

pub fn is_number_word(stem: &str) -> bool {
    NUMBERS.contains(stem)
}

pub fn is_weak(stem: &str) -> bool {
    WEAK.contains(stem)
}
