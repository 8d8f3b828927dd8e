"""Optimizers and wrappers, one algorithm per file."""

from keras_optlab.core.registry import create, info, names, wrappers
from keras_optlab.core.renamed import show_public_names
from keras_optlab.engine import Optimizer, Wrapper, strict_loading
from keras_optlab.optimizers.adabelief import AdaBelief
from keras_optlab.optimizers.adabound import AdaBound
from keras_optlab.optimizers.adadelta import Adadelta
from keras_optlab.optimizers.adafactor import Adafactor
from keras_optlab.optimizers.adagrad import Adagrad
from keras_optlab.optimizers.adahessian import AdaHessian
from keras_optlab.optimizers.adam import Adam
from keras_optlab.optimizers.adam_atan2 import AdamAtan2
from keras_optlab.optimizers.adam_mini import AdamMini
from keras_optlab.optimizers.adamax import Adamax
from keras_optlab.optimizers.adamuon import AdaMuon
from keras_optlab.optimizers.adamw import AdamW
from keras_optlab.optimizers.adan import Adan
from keras_optlab.optimizers.ademamix import AdEMAMix
from keras_optlab.optimizers.adopt import ADOPT
from keras_optlab.optimizers.aggmo import AggMo
from keras_optlab.optimizers.amos import Amos
from keras_optlab.optimizers.apollo import Apollo
from keras_optlab.optimizers.asam import ASAM
from keras_optlab.optimizers.came import CAME
from keras_optlab.optimizers.cocob import COCOB
from keras_optlab.optimizers.conditional_gradient import ConditionalGradient
from keras_optlab.optimizers.d_adapt_adam import DAdaptAdam
from keras_optlab.optimizers.d_adapt_sgd import DAdaptSGD
from keras_optlab.optimizers.dog import DoG
from keras_optlab.optimizers.dowg import DoWG
from keras_optlab.optimizers.ema import EMA
from keras_optlab.optimizers.fromage import Fromage
from keras_optlab.optimizers.ftrl import Ftrl
from keras_optlab.optimizers.galore import GaLore
from keras_optlab.optimizers.grams import Grams
from keras_optlab.optimizers.grokfast import Grokfast
from keras_optlab.optimizers.hyperball import Hyperball
from keras_optlab.optimizers.hypergradient_adam import HypergradientAdam
from keras_optlab.optimizers.hypergradient_sgd import HypergradientSGD
from keras_optlab.optimizers.klsoap import KLSOAP
from keras_optlab.optimizers.kron import Kron
from keras_optlab.optimizers.lamb import Lamb
from keras_optlab.optimizers.laprop import LaProp
from keras_optlab.optimizers.lars import LARS
from keras_optlab.optimizers.lawa import LAWA
from keras_optlab.optimizers.ldog import LDoG
from keras_optlab.optimizers.lion import Lion
from keras_optlab.optimizers.lookahead import Lookahead
from keras_optlab.optimizers.looksam import LookSAM
from keras_optlab.optimizers.madgrad import MADGRAD
from keras_optlab.optimizers.mars import MARS
from keras_optlab.optimizers.mechanic import Mechanic
from keras_optlab.optimizers.momentum import Momentum
from keras_optlab.optimizers.multi_steps import MultiSteps
from keras_optlab.optimizers.muon import Muon
from keras_optlab.optimizers.nadam import Nadam
from keras_optlab.optimizers.nadamw import NAdamW
from keras_optlab.optimizers.normuon import NorMuon
from keras_optlab.optimizers.novograd import NovoGrad
from keras_optlab.optimizers.power_ema import PowerEMA
from keras_optlab.optimizers.prodigy import Prodigy
from keras_optlab.optimizers.proximal_adagrad import ProximalAdagrad
from keras_optlab.optimizers.proximal_sgd import ProximalSGD
from keras_optlab.optimizers.qhadam import QHAdam
from keras_optlab.optimizers.qhm import QHM
from keras_optlab.optimizers.radam import RAdam
from keras_optlab.optimizers.rmsprop import RMSprop
from keras_optlab.optimizers.rprop import Rprop
from keras_optlab.optimizers.sam import SAM
from keras_optlab.optimizers.schedule_free import ScheduleFree
from keras_optlab.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from keras_optlab.optimizers.schedule_free_plus import ScheduleFreePlus
from keras_optlab.optimizers.schedule_free_sgd import ScheduleFreeSGD
from keras_optlab.optimizers.scion import SCION
from keras_optlab.optimizers.sgd import SGD
from keras_optlab.optimizers.shampoo import Shampoo
from keras_optlab.optimizers.sign_sgd import SignSGD
from keras_optlab.optimizers.signum import Signum
from keras_optlab.optimizers.simplified_ademamix import SimplifiedAdEMAMix
from keras_optlab.optimizers.sm3 import SM3
from keras_optlab.optimizers.soap import SOAP
from keras_optlab.optimizers.soapmuon import SOAPMuon
from keras_optlab.optimizers.sophia import Sophia
from keras_optlab.optimizers.spam import SPAM
from keras_optlab.optimizers.stable_adamw import StableAdamW
from keras_optlab.optimizers.swa import SWA
from keras_optlab.optimizers.tiger import Tiger
from keras_optlab.optimizers.yogi import Yogi

__all__ = [
    "ADOPT",
    "ASAM",
    "CAME",
    "COCOB",
    "EMA",
    "KLSOAP",
    "LARS",
    "LAWA",
    "MADGRAD",
    "MARS",
    "QHM",
    "SAM",
    "SCION",
    "SGD",
    "SM3",
    "SOAP",
    "SPAM",
    "SWA",
    "AdEMAMix",
    "AdaBelief",
    "AdaBound",
    "AdaHessian",
    "AdaMuon",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamAtan2",
    "AdamMini",
    "AdamW",
    "Adamax",
    "Adan",
    "AggMo",
    "Amos",
    "Apollo",
    "ConditionalGradient",
    "DAdaptAdam",
    "DAdaptSGD",
    "DoG",
    "DoWG",
    "Fromage",
    "Ftrl",
    "GaLore",
    "Grams",
    "Grokfast",
    "Hyperball",
    "HypergradientAdam",
    "HypergradientSGD",
    "Kron",
    "LDoG",
    "LaProp",
    "Lamb",
    "Lion",
    "LookSAM",
    "Lookahead",
    "Mechanic",
    "Momentum",
    "MultiSteps",
    "Muon",
    "NAdamW",
    "Nadam",
    "NorMuon",
    "NovoGrad",
    "Optimizer",
    "PowerEMA",
    "Prodigy",
    "ProximalAdagrad",
    "ProximalSGD",
    "QHAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SOAPMuon",
    "ScheduleFree",
    "ScheduleFreeAdamW",
    "ScheduleFreePlus",
    "ScheduleFreeSGD",
    "Shampoo",
    "SignSGD",
    "Signum",
    "SimplifiedAdEMAMix",
    "Sophia",
    "StableAdamW",
    "Tiger",
    "Wrapper",
    "Yogi",
    "create",
    "info",
    "names",
    "strict_loading",
    "wrappers",
]

show_public_names(globals())
