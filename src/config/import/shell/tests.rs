use super::*;

/// The assignments as text: name, line, parts; `?` for what is not read.
fn told(text: &str) -> Vec<String> {
    let script = read(text);
    assert_eq!(script.error, None, "for {text}");
    script.assignments.iter().map(|one| tell(&script, one)).collect()
}

fn tell(script: &Script, one: &Assignment) -> String {
    let within = one.function.map(|number| format!("{}() ", script.functions[number].name)).unwrap_or_default();
    let under = match one.under {
        Under::Nothing => "",
        Under::Condition => "if ",
        Under::Other => "other ",
        Under::Options => "options ",
    };
    let local = if one.local { "local " } else { "" };
    if one.unsets {
        return format!("{within}{under}unset {}", one.name);
    }
    let sign = if one.appends { "+=" } else { "=" };
    format!("{within}{under}{local}{}{sign}{}", one.name, words(&one.word))
}

fn words(word: &Word) -> String {
    word.iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Unread(Unread::Edited(name)) => format!("<edited {name}>"),
            Part::Unread(unread) => format!("<{unread:?}>"),
            Part::Variable { name, otherwise: Otherwise::Nothing } => format!("<{name}>"),
            Part::Variable { name, otherwise: Otherwise::Default { empty_too, assigns, word } } => {
                let colon = if *empty_too { ":" } else { "" };
                format!("<{name}{colon}{}{}>", if *assigns { "=" } else { "-" }, words(word))
            }
            Part::Variable { name, otherwise: Otherwise::WhenSet { not_empty, word } } => {
                format!("<{name}{}+{}>", if *not_empty { ":" } else { "" }, words(word))
            }
        })
        .collect()
}

#[test]
fn values_lose_their_quotes_and_keep_what_is_not_known() {
    let table = [
        ("A=b", "A=b"),
        ("A=", "A="),
        ("A=\"\"", "A="),
        ("  A=b  # why", "A=b"),
        ("A=b#c", "A=b#c"),
        ("A=\"b # c\" # d", "A=b # c"),
        ("A='b $c `d` \\e'", "A=b $c `d` \\e"),
        ("A=\"b\"'c'd", "A=bcd"),
        ("A=\"b \\\"c\\\" \\$d \\\\ \\e\"", "A=b \"c\" $d \\ \\e"),
        ("A=b\\ c", "A=b c"),
        ("A=\"b\\\nc\"", "A=bc"),
        ("A=b\\\nc", "A=bc"),
        ("A=\"b\nc\"", "A=b\nc"),
        ("A=$'b\\n\\x41\\u00e4\\101\\'c'", "A=b\nA\u{e4}A'c"),
        ("A=$\"b\"", "A=b"),
        ("A=b$", "A=b$"),
        ("A=$B/c", "A=<B>/c"),
        ("A=\"${B}c\"", "A=<B>c"),
        ("A=${B:-c d}", "A=<B:-c d>"),
        ("A=\"${B-'c'}\"", "A=<B-'c'>"),
        ("A=${B-'c}'}", "A=<B-c}>"),
        ("A=\"${B:-\"c\"}\"", "A=<B:-c>"),
        ("A=${B:-${C:-d}}", "A=<B:-<C:-d>>"),
        ("A=${B:+c}", "A=<B:+c>"),
        ("A=${B:?must be set}", "A=<B>"),
        ("A=${B%/}", "A=<edited B>"),
        ("A=${B//'}'/x}y", "A=<edited B>y"),
        ("A=${B,,}", "A=<edited B>"),
        ("A=${#B}", "A=<Argument>"),
        ("A=$1", "A=<Argument>"),
        ("A=$(date)", "A=<Command>"),
        ("A=\"$(echo \")\" ')' # it's\n)\"", "A=<Command>"),
        ("A=`date \\` x`", "A=<Command>"),
        ("A=$((1 + (2 * 3)))", "A=<Arithmetic>"),
        ("A=(b 'c d' # e\n f)", "A=<Array>"),
        ("A=~/b", "A=<Home>"),
        ("A+=b", "A+=b"),
        ("A=\u{fc}ber", "A=\u{fc}ber"),
        ("A=b\r", "A=b"),
    ];
    for (text, expected) in table {
        assert_eq!(told(text), [expected], "for {text}");
    }
}

#[test]
fn assignments_are_found_in_all_their_forms() {
    let table: &[(&str, &[&str])] = &[
        ("A=1; B=2", &["A=1", "B=2"]),
        ("A=1 B=2", &["A=1", "B=2"]),
        ("export A=1 B", &["A=1"]),
        ("readonly A='1 2'", &["A=1 2"]),
        ("declare -x A=1", &["A=1"]),
        ("typeset -i A=1", &["A=1"]),
        (": \"${A:=1}\"", &["A=<A:=1>"]),
        ("B=${A:=1}", &["A=<A:=1>", "B=<A:=1>"]),
        ("A=1 command B=2", &[]),
        ("echo A=1", &[]),
        ("A[1]=2", &["A=<Array>"]),
        ("A=1\nunset A B", &["A=1", "unset A", "unset B"]),
        ("unset -f A", &[]),
        ("read -r -p x A B", &["x=<Asked>", "A=<Asked>", "B=<Asked>"]),
        ("printf -v A x", &["A=<Command>"]),
        ("A=1 &\nB=2", &["other A=1", "B=2"]),
        ("{ A=1; B=2; } | cat\nC=3", &["other A=1", "other B=2", "C=3"]),
        ("{ A=1; } &\nB=2", &["other A=1", "B=2"]),
        ("x | { A=1; }\nB=2", &["other A=1", "B=2"]),
        ("f() { local A B=1; A=2; declare -g C=3; }\nA=4", &["f() local B=1", "f() local A=2", "f() C=3", "A=4"]),
        ("while [[ $# -gt 0 ]]\ndo\n case $1 in -a) A=\"$2\" ;; esac\ndone\nB=2", &["options A=<Argument>", "B=2"]),
        ("# A=1\nB=2 # A=3", &["B=2"]),
        ("{ A=1; }", &["A=1"]),
        ("A=1 > /dev/null", &["A=1"]),
        ("f() { A=1; local B=2; declare C=3; }\nD=4", &["f() A=1", "f() local B=2", "f() local C=3", "D=4"]),
        ("function f {\n A=1\n}\nB=2", &["f() A=1", "B=2"]),
        ("function f()\n{ A=1; }", &["f() A=1"]),
        ("f ( )\n{ A=1; }", &["f() A=1"]),
        ("f() ( A=1 )\nB=2", &["other A=1", "B=2"]),
        ("if true; then A=1; elif x; then A=2; else A=3; fi; B=2", &["if A=1", "if A=2", "if A=3", "B=2"]),
        ("[ -z \"$A\" ] && A=1\nB=2", &["if A=1", "B=2"]),
        ("x || { A=1; }\nB=2", &["if A=1", "B=2"]),
        ("[[ $A =~ ^(a|b)\\'c$ && -z $B ]] && A=1\nB=2", &["if A=1", "B=2"]),
        ("[[ $A == *[^[:alnum:]]* || $A < b ]] && A=1\nB=2", &["if A=1", "B=2"]),
        ("(( A > 1 )) && A=1", &["if A=1"]),
        ("while read x; do A=1; done < file\nB=2", &["other x=<Asked>", "other A=1", "B=2"]),
        ("for x in a b; do A=1; done; B=2", &["other x=<Array>", "other A=1", "B=2"]),
        ("for ((i = 0; i < 2; i++)); do A=1; done; B=2", &["other A=1", "B=2"]),
        ("case $x in\n a|\"b)\") A=1 ;;\n (c) A=2 ;; # it's\n *) ;;\nesac\nB=2", &["other A=1", "other A=2", "B=2"]),
        ("case in in in) A=1 ;; esac; B=2", &["other A=1", "B=2"]),
        ("( A=1 )\nB=2", &["other A=1", "B=2"]),
        ("A=1 | cat\nB=2", &["other A=1", "B=2"]),
        ("cat <<E\nA=1 it's\nE\nB=2", &["B=2"]),
        ("cat <<-'E' | x\n\tA=1 \"\n\tE\nB=2", &["B=2"]),
        ("cat <<< \"$x\"; B=2", &["B=2"]),
        ("x=$(cat <<E\nit's )\nE\n)\nB=2", &["x=<Command>", "B=2"]),
        ("x=$(case a in a) y ;; esac; A=1)\nB=2", &["x=<Command>", "B=2"]),
        ("x < <(A=1; y) >&2 2>/dev/null &> z; B=2", &["B=2"]),
        ("awk {'print $1'} x; B=2", &["B=2"]),
        ("a=(x\n# it's\ny); B=2", &["a=<Array>", "B=2"]),
        ("f() {\n if x; then\n A=1\n fi\n}\nB=2", &["f() if A=1", "B=2"]),
    ];
    for (text, expected) in table {
        assert_eq!(told(text), *expected, "for {text}");
    }
}

#[test]
fn lines_are_those_of_the_file() {
    let script = read("#!/bin/bash\n\nA=\"x\ny\"\nB=$(\n)\ncat <<E\n\nE\nC=1 D=\\\n2\n");
    let lines: Vec<_> = script.assignments.iter().map(|one| (one.name.as_str(), one.line)).collect();
    assert_eq!(lines, [("A", 3), ("B", 5), ("C", 10), ("D", 10)]);
}

#[test]
fn a_list_of_assignments_is_told_from_a_script() {
    for text in ["A=1\nexport B=2\n# x\n", "", ": ${A:=1}\n", "A=1 x", "A=b&c d", "A=b(c)", "HTTPS_PORT = 1", "A_B: c"] {
        assert!(!read(text).runs_commands, "{text}");
    }
    for text in ["set -e\nA=1", "A=1\nif x; then A=2; fi", "f() { A=1; }", "A=1 x\ny"] {
        assert!(read(text).runs_commands, "{text}");
    }
    assert_eq!(read("NAME=Uni Klinik\n").for_one_command, [("NAME".to_owned(), 1)]);
    let unseen = read("A=1\n. ./b\nf() { . ./c; }\nif x; then source d; fi\neval x\neval set -- y\n. /etc/os-release").unseen;
    assert_eq!(unseen.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert!(unseen[1].1.starts_with("reads ./c, "), "{unseen:?}");
}

#[test]
fn what_is_never_closed_is_told_with_its_line() {
    let table = [
        ("A=1\nB=\"x\n", "line 2: a double quote is opened here and never closed"),
        ("A=1\n\nB='x\n", "line 3: a single quote is opened here and never closed"),
        ("A=$'x", "line 1: a single quote is opened here and never closed"),
        ("A=`x", "line 1: a backtick is opened here and never closed"),
        ("A=$(x", "line 1: $( is opened here and never closed"),
        ("A=${x", "line 1: ${ is opened here and never closed"),
        ("A=$((x", "line 1: (( is opened here and never closed"),
        ("A=(x", "line 1: ( is opened here and never closed"),
    ];
    for (text, expected) in table {
        assert_eq!(read(text).error.unwrap().to_string(), expected, "for {text}");
    }
    for opening in ["$(", "\"$(", "${A:-", "(", "<(", "((", "{ ", "if ", "case x in a) "] {
        let _ = read(&format!("A={}", opening.repeat(20_000)));
        let _ = read(&opening.repeat(20_000));
    }
    let deep = read(&format!("A={}", "$(".repeat(20_000)));
    assert_eq!(deep.error.unwrap().to_string(), "line 1: quotes and substitutions are nested too deeply");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[a-c=\"'`$(){}\\[\\]<>|&;:#~!\\\\ \n\t\r\u{e4}0-]{0,120}") {
        let _ = read(&text);
    }

    #[test]
    fn no_words_panic(words in proptest::collection::vec(
        proptest::sample::select(vec![
            "if ", "fi\n", "case x in ", "esac\n", "a) ", ";; ", "for x in ", "do ", "done\n", "{ ", "}\n", "f() ", "function g ",
            "$(", ")", "${A:-", "}", "\"", "'", "`", "<<E\n", "E\n", "A=", "export ", "[[ ", " ]]", "((", "))", "\n", "&& ", "| ", "# ",
        ]), 0..40)
    ) {
        let _ = read(&words.concat());
    }
}
