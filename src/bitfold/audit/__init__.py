"""Does every loss term reach every module that it depends on?"""

from bitfold.audit.audit import assert_gradients_reach, audit_gradients
from bitfold.audit.report import AuditRow, CutSite, GradientAudit, Verdict
from bitfold.audit.trade.monitor import Trade, TradeMonitor

__all__ = [
    "AuditRow",
    "CutSite",
    "GradientAudit",
    "Trade",
    "TradeMonitor",
    "Verdict",
    "assert_gradients_reach",
    "audit_gradients",
]
