//! The functions of templates: one table.
//!
//! Those of Go's `text/template`, and of ESO (sprig's, `toYaml` and `fromYaml`) those that templates of
//! credentials use. What ESO has beside them is known by name, so that it can be refused by name.
#![expect(clippy::unnecessary_wraps, reason = "all functions of the table have one shape")]

mod builtin;
mod data;
mod encoding;
mod numbers;
mod text;

use jiff::Timestamp;

use super::fault::Fault;
use super::run::Run;
use super::value::{Text, TooDeep, Value};

/// A function of templates.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// What it takes.
    parameters: &'static [Parameter],
    /// What it takes any number of after those.
    variadic: Option<Parameter>,
    pub(super) kind: Kind,
}

/// How a function is run.
pub(super) enum Kind {
    /// `and` and `or`: the value that decides ends it.
    ShortCircuit {
        stops_at: bool,
    },
    Plain(fn(&mut Arguments<'_>) -> Called),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ShortCircuit { .. } => "ShortCircuit",
            Self::Plain(_) => "Plain",
        })
    }
}

/// What a function gives.
type Called = Result<Value, Problem>;

/// Why a function gives nothing: never a word of its arguments.
pub(super) enum Problem {
    Why(&'static str),
    Fault(Fault),
}

impl From<&'static str> for Problem {
    fn from(why: &'static str) -> Self {
        Self::Why(why)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<TooDeep> for Problem {
    fn from(_: TooDeep) -> Self {
        Self::Fault(Fault::TooMuch("a value is nested more than 100 deep"))
    }
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Parameter {
    Any,
    Text,
    Int,
    Bool,
    Map,
    Time,
}

impl Parameter {
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Text => "string",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Map => "map[string]interface {}",
            Self::Time => "time.Time",
        }
    }

    /// Lets a value through that is of this type.
    pub(super) fn check(self, value: Value) -> Result<Value, Fault> {
        let fits = matches!(
            (self, &value),
            (Self::Any, _)
                | (Self::Text, Value::Text(_))
                | (Self::Int, Value::Int(_))
                | (Self::Bool, Value::Bool(_))
                | (Self::Map, Value::Map(_) | Value::Nil)
                | (Self::Time, Value::Time(_))
        );
        if fits {
            Ok(value)
        } else {
            Err(Fault::WrongType { expected: self.type_name(), got: value.type_name() })
        }
    }
}

/// What a function is called with.
pub(super) struct Arguments<'r> {
    pub(super) values: Vec<Value>,
    pub(super) run: &'r mut Run,
    /// When this is rendered.
    pub(super) now: Timestamp,
}

impl Arguments<'_> {
    fn value(&self, index: usize) -> &Value {
        self.values.get(index).unwrap_or(&Value::Nil)
    }

    /// All from there on.
    fn rest(&self, index: usize) -> &[Value] {
        self.values.get(index..).unwrap_or_default()
    }

    fn text(&self, index: usize) -> Result<Text, Problem> {
        match self.value(index) {
            Value::Text(text) => Ok(text.clone()),
            other => Err(wrong("string", other)),
        }
    }

    fn int(&self, index: usize) -> Result<i64, Problem> {
        match self.value(index) {
            Value::Int(integer) => Ok(*integer),
            other => Err(wrong("int", other)),
        }
    }

    fn bool(&self, index: usize) -> Result<bool, Problem> {
        match self.value(index) {
            Value::Bool(flag) => Ok(*flag),
            other => Err(wrong("bool", other)),
        }
    }
}

fn wrong(expected: &'static str, got: &Value) -> Problem {
    Problem::Fault(Fault::WrongType { expected, got: got.type_name() })
}

impl Function {
    const fn new(
        name: &'static str,
        parameters: &'static [Parameter],
        run: fn(&mut Arguments<'_>) -> Called,
    ) -> Self {
        Self { name, parameters, variadic: None, kind: Kind::Plain(run) }
    }

    const fn and_more(mut self, parameter: Parameter) -> Self {
        self.variadic = Some(parameter);
        self
    }

    /// The type of the argument there.
    pub(super) fn parameter(&self, index: usize) -> Parameter {
        let fixed = self.parameters.get(index).copied();
        fixed.or(self.variadic).unwrap_or(Parameter::Any)
    }

    pub(super) fn check_count(&self, got: usize) -> Result<(), Fault> {
        let expected = self.parameters.len();
        let fits = got == expected || (self.variadic.is_some() && got > expected);
        if fits {
            Ok(())
        } else {
            Err(Fault::ArgumentCount { function: self.name, expected, got })
        }
    }

    pub(super) fn call(&self, arguments: &mut Arguments<'_>) -> Result<Value, Fault> {
        let Kind::Plain(run) = self.kind else { return Ok(Value::Nil) };
        run(arguments).map_err(|problem| match problem {
            Problem::Why(why) => Fault::Failed { function: self.name, why },
            Problem::Fault(fault) => fault,
        })
    }
}

/// The function of that name.
///
/// # Errors
///
/// The name, if it is one that is known and refused.
pub(super) fn find(name: &str) -> Result<&'static Function, Option<&'static str>> {
    let all = FUNCTIONS.iter().find(|function| function.name == name);
    all.ok_or_else(|| REFUSED.iter().find(|refused| **refused == name).copied())
}

const ANY: Parameter = Parameter::Any;
const TEXT: Parameter = Parameter::Text;
const INT: Parameter = Parameter::Int;

static FUNCTIONS: &[Function] = &[
    Function {
        name: "and",
        parameters: &[ANY],
        variadic: Some(ANY),
        kind: Kind::ShortCircuit { stops_at: false },
    },
    Function {
        name: "or",
        parameters: &[ANY],
        variadic: Some(ANY),
        kind: Kind::ShortCircuit { stops_at: true },
    },
    Function::new("not", &[ANY], builtin::not),
    Function::new("eq", &[ANY], builtin::eq).and_more(ANY),
    Function::new("ne", &[ANY, ANY], builtin::ne),
    Function::new("lt", &[ANY, ANY], builtin::lt),
    Function::new("le", &[ANY, ANY], builtin::le),
    Function::new("gt", &[ANY, ANY], builtin::gt),
    Function::new("ge", &[ANY, ANY], builtin::ge),
    Function::new("index", &[ANY], builtin::index).and_more(ANY),
    Function::new("len", &[ANY], builtin::len),
    Function::new("print", &[], builtin::print).and_more(ANY),
    Function::new("printf", &[TEXT], builtin::printf).and_more(ANY),
    Function::new("println", &[], builtin::println).and_more(ANY),
    Function::new("urlquery", &[], encoding::urlquery).and_more(ANY),
    Function::new("quote", &[], text::quote).and_more(ANY),
    Function::new("squote", &[], text::squote).and_more(ANY),
    Function::new("trim", &[TEXT], text::trim),
    Function::new("trimSuffix", &[TEXT, TEXT], text::trim_suffix),
    Function::new("trimPrefix", &[TEXT, TEXT], text::trim_prefix),
    Function::new("upper", &[TEXT], text::upper),
    Function::new("lower", &[TEXT], text::lower),
    Function::new("title", &[TEXT], text::title),
    Function::new("replace", &[TEXT, TEXT, TEXT], text::replace),
    Function::new("contains", &[TEXT, TEXT], text::contains),
    Function::new("hasPrefix", &[TEXT, TEXT], text::has_prefix),
    Function::new("hasSuffix", &[TEXT, TEXT], text::has_suffix),
    Function::new("split", &[TEXT, TEXT], text::split),
    Function::new("splitList", &[TEXT, TEXT], text::split_list),
    Function::new("join", &[TEXT, ANY], text::join),
    Function::new("indent", &[INT, TEXT], text::indent),
    Function::new("nindent", &[INT, TEXT], text::nindent),
    Function::new("trunc", &[INT, TEXT], text::trunc),
    Function::new("substr", &[INT, INT, TEXT], text::substr),
    Function::new("toString", &[ANY], text::to_string),
    Function::new("regexReplaceAll", &[TEXT, TEXT, TEXT], text::regex_replace_all),
    Function::new("regexMatch", &[TEXT, TEXT], text::regex_match),
    Function::new("b64enc", &[TEXT], encoding::b64enc),
    Function::new("b64dec", &[TEXT], encoding::b64dec),
    Function::new("toJson", &[ANY], encoding::to_json),
    Function::new("toRawJson", &[ANY], encoding::to_raw_json),
    Function::new("toPrettyJson", &[ANY], encoding::to_pretty_json),
    Function::new("fromJson", &[TEXT], encoding::from_json),
    Function::new("toYaml", &[ANY], encoding::to_yaml),
    Function::new("fromYaml", &[TEXT], encoding::from_yaml),
    Function::new("sha256sum", &[TEXT], encoding::sha256sum),
    Function::new("int", &[ANY], numbers::int),
    Function::new("int64", &[ANY], numbers::int64),
    Function::new("atoi", &[TEXT], numbers::atoi),
    Function::new("add", &[], numbers::add).and_more(ANY),
    Function::new("sub", &[ANY, ANY], numbers::sub),
    Function::new("mul", &[ANY], numbers::mul).and_more(ANY),
    Function::new("div", &[ANY, ANY], numbers::div),
    Function::new("now", &[], numbers::now),
    Function::new("date", &[TEXT, ANY], numbers::date),
    Function::new("dateInZone", &[TEXT, ANY, TEXT], numbers::date_in_zone),
    Function::new("unixEpoch", &[Parameter::Time], numbers::unix_epoch),
    Function::new("dateModify", &[TEXT, Parameter::Time], numbers::date_modify),
    Function::new("default", &[ANY], data::default).and_more(ANY),
    Function::new("empty", &[ANY], data::empty),
    Function::new("coalesce", &[], data::coalesce).and_more(ANY),
    Function::new("ternary", &[ANY, ANY, Parameter::Bool], data::ternary),
    Function::new("fail", &[TEXT], data::fail),
    Function::new("dict", &[], data::dict).and_more(ANY),
    Function::new("list", &[], data::list).and_more(ANY),
    Function::new("get", &[Parameter::Map, TEXT], data::get),
    Function::new("hasKey", &[Parameter::Map, TEXT], data::has_key),
    Function::new("keys", &[], data::keys).and_more(Parameter::Map),
    Function::new("first", &[ANY], data::first),
    Function::new("last", &[ANY], data::last),
];

/// What ESO knows beside those: its own functions for keys and certificates, Go's that are no use
/// here, and the rest of sprig 3. <https://masterminds.github.io/sprig/>
static REFUSED: &[&str] = &[
    "pkcs12key", "pkcs12keyPass", "pkcs12cert", "pkcs12certPass", "pemToPkcs12", "pemToPkcs12Pass",
    "fullPemToPkcs12", "fullPemToPkcs12Pass", "pemTruststoreToPKCS12", "pemTruststoreToPKCS12Pass",
    "filterPEM", "filterCertChain", "certSANs", "jwkPublicKeyPem", "jwkPrivateKeyPem", "rsaDecrypt",
    "call", "html", "js", "slice",
    "hello", "ago", "date_in_zone", "date_modify", "duration", "durationRound", "htmlDate",
    "htmlDateInZone", "must_date_modify", "mustDateModify", "mustToDate", "toDate",
    "abbrev", "abbrevboth", "untitle", "repeat", "trimall", "trimAll", "nospace", "initials",
    "randAlphaNum", "randAlpha", "randAscii", "randNumeric", "swapcase", "shuffle", "snakecase",
    "camelcase", "kebabcase", "wrap", "wrapWith", "cat", "plural", "sha1sum", "sha512sum",
    "adler32sum", "float64", "seq", "toDecimal", "splitn", "toStrings", "until", "untilStep",
    "add1", "mod", "randInt", "add1f", "addf", "subf", "divf", "mulf", "biggest", "max", "min",
    "maxf", "minf", "ceil", "floor", "round", "sortAlpha", "all", "any", "compact", "mustCompact",
    "mustFromJson", "mustToJson", "mustToPrettyJson", "mustToRawJson", "deepCopy", "mustDeepCopy",
    "typeOf", "typeIs", "typeIsLike", "kindOf", "kindIs", "deepEqual",
    "base", "dir", "clean", "ext", "isAbs", "osBase", "osClean", "osDir", "osExt", "osIsAbs",
    "b32enc", "b32dec", "tuple", "set", "unset", "pluck", "pick", "omit", "merge",
    "mergeOverwrite", "mustMerge", "mustMergeOverwrite", "values",
    "append", "push", "mustAppend", "mustPush", "prepend", "mustPrepend", "mustFirst", "rest",
    "mustRest", "mustLast", "initial", "mustInitial", "reverse", "mustReverse", "uniq", "mustUniq",
    "without", "mustWithout", "has", "mustHas", "mustSlice", "concat", "dig", "chunk", "mustChunk",
    "bcrypt", "htpasswd", "genPrivateKey", "derivePassword", "buildCustomCert", "genCA",
    "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert",
    "genSignedCertWithKey", "encryptAES", "decryptAES", "randBytes", "uuidv4",
    "semver", "semverCompare", "mustRegexMatch", "regexFindAll", "mustRegexFindAll", "regexFind",
    "mustRegexFind", "mustRegexReplaceAll", "regexReplaceAllLiteral",
    "mustRegexReplaceAllLiteral", "regexSplit", "mustRegexSplit", "regexQuoteMeta",
    "urlParse", "urlJoin",
];
