//! What a declared parameter is: name, kind, default, bounds and prose.

use crate::{Error, MainCf, values};
use std::ops::Deref;
use std::time::Duration;

/// The kinds of parameter values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text with `$name` expanded.
    Str,
    /// Text as written; `$name` is expanded later, by whoever knows the names in it.
    Raw,
    /// A number of C's `int`.
    Int,
    /// A number whose default is an expression.
    Nint,
    /// A number of C's `long`.
    Long,
    /// A time in seconds, written with a unit.
    Time,
    /// `yes` or `no`.
    Bool,
    /// `yes` or `no`, with an expression for a default.
    Nbool,
}

/// Finds a default out at run time.
pub type Compute = fn(&MainCf) -> Result<String, Error>;

/// A parameter without its prose: all that reading it takes.
#[derive(Debug)]
pub struct Spec {
    /// Name in main.cf.
    pub name: &'static str,
    /// Kind of value.
    pub kind: Kind,
    /// Default in main.cf language.
    pub default: &'static str,
    /// Finds the default out at run time.
    pub computed: Option<Compute>,
    /// Least value, or length of text.
    pub min: Option<i64>,
    /// Greatest value, or length of text.
    pub max: Option<i64>,
}

/// A parameter with its prose.
#[derive(Debug)]
pub struct Declaration {
    /// Name, kind, default and bounds.
    pub spec: &'static Spec,
    /// Prose for the manual page; each line begins with a blank.
    pub doc: &'static str,
}

impl Deref for Declaration {
    type Target = Spec;

    fn deref(&self) -> &Spec {
        self.spec
    }
}

/// A declared parameter, as a type.
pub trait Param {
    /// Its kind, as a type.
    type Kind: KindType;
    /// Name, kind, default and bounds.
    const SPEC: &'static Spec;
    /// The same with prose.
    const DECLARATION: Declaration;
}

/// The Rust type of a parameter's value.
pub type ValueOf<P> = <<P as Param>::Kind as KindType>::Value;

/// A kind, as a type.
pub trait KindType {
    /// What a value is in Rust.
    type Value;

    /// Reads, expands and checks a value.
    fn read(main: &MainCf, spec: &Spec) -> Result<Self::Value, Error>;
}

/// Which of the names a shared SMTP and LMTP client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mirror {
    /// `smtp_...`
    Smtp,
    /// `lmtp_...` where such a parameter exists.
    Lmtp,
}

/// Reads one parameter.
pub fn load<P: Param>(main: &MainCf) -> Result<ValueOf<P>, Error> {
    P::Kind::read(main, P::SPEC)
}

/// Reads one parameter under the name that a client of this kind uses.
pub fn load_mirrored<P: Param>(main: &MainCf, mirror: Mirror) -> Result<ValueOf<P>, Error> {
    P::Kind::read(main, mirror.of(P::SPEC))
}

impl Mirror {
    /// The declaration that stands for `spec` here.
    pub(crate) fn of(self, spec: &'static Spec) -> &'static Spec {
        match (self, spec.name.strip_prefix("smtp_")) {
            (Mirror::Lmtp, Some(rest)) => crate::params::lmtp_mirror(rest).unwrap_or(spec),
            _ => spec,
        }
    }
}

/// The kinds as types, for `type Kind = kinds::Time`.
pub mod kinds {
    use super::*;

    macro_rules! kinds {
        ($($name:ident => $value:ty, $read:path;)*) => {$(
            #[doc = concat!("Marks [`Kind::", stringify!($name), "`].")]
            #[derive(Debug)]
            pub enum $name {}

            impl KindType for $name {
                type Value = $value;

                fn read(main: &MainCf, spec: &Spec) -> Result<$value, Error> {
                    $read(main, spec)
                }
            }
        )*};
    }

    kinds! {
        Str => String, values::text;
        Raw => String, values::raw;
        Int => i64, values::int;
        Nint => i64, values::int;
        Long => i64, values::long;
        Time => Duration, values::time;
        Bool => bool, values::boolean;
        Nbool => bool, values::boolean;
    }
}
