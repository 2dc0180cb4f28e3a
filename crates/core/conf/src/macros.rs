//! The two macros of the registry: `params!` declares parameters, `param_set!` names those one program reads.

/// Declares parameters; used once in each topic file of `src/params/`.
///
/// ```text
/// params! {
///     /// How often to refresh a fast-flush log file. (Our own words, as many lines as it takes;
///     /// the text becomes the parameter's entry in postconf(5).)
///     fast_flush_refresh_time: Time = "12h", min 1;
///
///     /// Host name; found out at run time by `computed::hostname` when main.cf does not set it.
///     myhostname: Str = "", computed crate::computed::hostname, min 1;
///
///     /// `min` and `max` in this order, either may be missing; for `Str` and `Raw` they bound the length.
///     in_flow_delay: Time = "1s", min 0, max 10;
/// }
/// ```
///
/// - One `params!` a file, every parameter ends with `;`.
/// - The default is *always* a string literal in main.cf language, exactly as `postconf -d` prints it, whatever
///   the kind: `"50"`, `"yes"`, `"12h"`, `"$myhostname"`, `"${stress?{10}:{300}}"`. A default of kind `Time` has
///   its unit in the text; that unit is also the one of values written without a unit.
/// - `computed PATH` names a `fn(&MainCf) -> Result<String, Error>` used when main.cf does not set the name.
/// - A bound of 0 in Postfix's tables means "no bound" there: leave it out.
/// - A name that Rust cannot spell follows its replacement: `double_bounce_notice_recipient ("2bounce_..."): Str`.
/// - Kinds: `Str` (expanded), `Raw` (not expanded), `Int`, `Nint` (an `Int` whose default has `$`), `Long`,
///   `Time`, `Bool`, `Nbool` (a `Bool` whose default has `$`).
///
/// Each declaration becomes an empty enum of the parameter's name that implements [`Param`](crate::Param); the
/// file gets `ALL` (with prose, only for postconf), `SPECS` (without), and `DEFAULTS`, which is one text without pointers
/// since every program has it and hardly ever looks into it.
#[macro_export]
macro_rules! params {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident $(($written:literal))? : $kind:ident = $default:literal
            $(, computed $computed:path)? $(, min $min:literal)? $(, max $max:literal)? ;
    )*) => {
        $(
            $(#[doc = $doc])+
            #[allow(non_camel_case_types)]
            #[derive(Debug)]
            pub enum $name {}

            impl $crate::Param for $name {
                type Kind = $crate::kinds::$kind;
                const SPEC: &'static $crate::Spec = &$crate::Spec {
                    name: $crate::params!(@name $name $($written)?),
                    kind: $crate::Kind::$kind,
                    default: $default,
                    computed: $crate::params!(@option $(computed $computed)?),
                    min: $crate::params!(@option $(bound $min)?),
                    max: $crate::params!(@option $(bound $max)?),
                };
                const DECLARATION: $crate::Declaration = $crate::Declaration {
                    spec: Self::SPEC,
                    doc: concat!($($doc, "\n"),+),
                };
            }
        )*

        /// Every parameter of this topic, with its prose.
        pub static ALL: &[$crate::Declaration] = &[$(<$name as $crate::Param>::DECLARATION),*];

        /// Every parameter of this topic, without prose.
        pub static SPECS: &[&$crate::Spec] = &[$(<$name as $crate::Param>::SPEC),*];

        /// Names and defaults of this topic, each ended by a NUL, for `$name` in values.
        pub const DEFAULTS: &str = concat!($($crate::params!(@name $name $($written)?), "\0", $default, "\0"),*);
    };
    (@name $name:ident) => { stringify!($name) };
    (@name $name:ident $written:literal) => { $written };
    (@option) => { None };
    (@option computed $path:path) => { Some($path) };
    (@option bound $bound:literal) => { Some($bound) };
}

/// Names the parameters one program (or one part of it) reads, and makes a typed struct of them.
///
/// ```text
/// conf::param_set! {
///     /// What flush(8) reads.
///     pub struct FlushParams { fast_flush_domains, fast_flush_refresh_time }
/// }
/// let params = FlushParams::load(&main)?;      // params.fast_flush_refresh_time: Duration
/// ```
///
/// The struct derives `Debug` and `Clone`, its fields are public and its field types follow from the declared
/// kinds; `NAMES` lists the names.
/// `mirrored pub struct ...` adds `load_as(&main, Mirror::Lmtp)`, which reads `lmtp_xxx` into the field
/// `smtp_xxx` wherever such an `lmtp_` parameter is declared (in the topic `lmtp`).
#[macro_export]
macro_rules! param_set {
    ($(#[$attr:meta])* mirrored $vis:vis struct $set:ident { $($(#[$field:meta])* $name:ident),* $(,)? }) => {
        $crate::param_set! { @define $(#[$attr])* $vis struct $set { $($(#[$field])* $name),* } }

        #[allow(dead_code, unreachable_pub)]
        impl $set {
            /// Reads and checks every parameter of the set, as the SMTP or as the LMTP client names them.
            $vis fn load_as(main: &$crate::MainCf, mirror: $crate::Mirror) -> Result<Self, $crate::Error> {
                Ok(Self { $($name: $crate::load_mirrored::<$crate::params::$name>(main, mirror)?),* })
            }
        }
    };
    ($(#[$attr:meta])* $vis:vis struct $set:ident { $($(#[$field:meta])* $name:ident),* $(,)? }) => {
        $crate::param_set! { @define $(#[$attr])* $vis struct $set { $($(#[$field])* $name),* } }

        #[allow(dead_code, unreachable_pub)]
        impl $set {
            /// Reads and checks every parameter of the set.
            $vis fn load(main: &$crate::MainCf) -> Result<Self, $crate::Error> {
                Ok(Self { $($name: $crate::load::<$crate::params::$name>(main)?),* })
            }
        }
    };
    (@define $(#[$attr:meta])* $vis:vis struct $set:ident { $($(#[$field:meta])* $name:ident),* }) => {
        $(#[$attr])*
        #[derive(Debug, Clone)]
        #[allow(dead_code, unreachable_pub)]
        $vis struct $set {
            $(
                $(#[$field])*
                #[doc = concat!("`", stringify!($name), "` of main.cf.")]
                pub $name: $crate::ValueOf<$crate::params::$name>,
            )*
        }

        #[allow(dead_code, unreachable_pub)]
        impl $set {
            /// The names of the parameters in the set.
            $vis const NAMES: &'static [&'static str] = &[$(<$crate::params::$name as $crate::Param>::SPEC.name),*];
        }
    };
}
