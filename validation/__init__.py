"""Pandera models compiled to Polars expressions: severities, verdicts and the sentences that explain them.

    declare            what a model says, or why it cannot be enforced
    compile_contract   a model and a schema -> Contract: problems of the schema, rules, and checks left to pandera
    impossible         what a model asks for that can be enforced on no rows, whatever their schema
    unfit_rules        a contract's rules -> those that no rows can keep, and why; unfit_check: the same of a check
    model_source       a schema -> the source of a model
    Contract           aggregates for the pass that writes the data -> Verdict -> samples of what did not pass

Pandera declares; it does not validate here. Its own validation reads the data once for each rule, and drops or keeps
wrong rows in silence under several of its options.
"""

from deltaworks.validation.broken import BrokenRule, BrokenRuleJson
from deltaworks.validation.check import DeclaredCheck
from deltaworks.validation.comparison import column_difference, model_difference
from deltaworks.validation.compile import compile_contract, impossible
from deltaworks.validation.conform import conform
from deltaworks.validation.contract import ROWS, Contract
from deltaworks.validation.example_rows import minimal_rows, random_rows
from deltaworks.validation.misfit import is_about_dtypes, row_of_nulls, unfit_check, unfit_rules
from deltaworks.validation.model import Declared, DeclaredColumn, UniqueScope, declare, declared_by, is_model
from deltaworks.validation.model_source import model_source
from deltaworks.validation.observed import observed_model
from deltaworks.validation.on_fail import Severity
from deltaworks.validation.problems import SchemaProblem
from deltaworks.validation.residual import ResidualCheck, ResidualOutcome
from deltaworks.validation.rules import Rule, RuleKind
from deltaworks.validation.sieve import REJECTED_BY, Sieve
from deltaworks.validation.verdict import RuleRecord, RuleResult, Verdict

__all__ = [
    "REJECTED_BY",
    "ROWS",
    "BrokenRule",
    "BrokenRuleJson",
    "Contract",
    "Declared",
    "DeclaredCheck",
    "DeclaredColumn",
    "ResidualCheck",
    "ResidualOutcome",
    "Rule",
    "RuleKind",
    "RuleRecord",
    "RuleResult",
    "SchemaProblem",
    "Severity",
    "Sieve",
    "UniqueScope",
    "Verdict",
    "column_difference",
    "compile_contract",
    "conform",
    "declare",
    "declared_by",
    "impossible",
    "is_about_dtypes",
    "is_model",
    "minimal_rows",
    "model_difference",
    "model_source",
    "observed_model",
    "random_rows",
    "row_of_nulls",
    "unfit_check",
    "unfit_rules",
]
