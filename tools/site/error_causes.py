"""Cause and cure of every error and warning of the package, for `errors.py`.

A key is `"module:function"`, and holds for all messages of the function; or `"module"`,
for the functions of the module that have no entry of their own.
"""

CAUSES: dict[str, tuple[str, str]] = {
    "averaging/batches.py": (
        "The data for the normalization statistics are an iterator, which is used up "
        "by the first pass, or a sparse matrix.",
        "Pass arrays, a `tf.data.Dataset`, a `PyDataset` or a `DataLoader`; make "
        "sparse matrices dense.",
    ),
    "averaging/refresh_in_fit.py:_batches": (
        "`fit` reads a generator, so the optimizer cannot read it again to compute "
        "the normalization statistics of the evaluation weights.",
        "Train on a `tf.data.Dataset` or arrays, or call "
        "`kol.refresh_normalization(model, data)` after `fit`.",
    ),
    "averaging/refresh_in_fit.py:_warn": (
        "The moving statistics of `BatchNormalization` belong to the training "
        "weights, and could not be computed again for the averaged weights.",
        "Call `kol.refresh_normalization(model, data)` before `evaluate` or `save`, "
        "or average with `kol.optimizers.EMA`.",
    ),
    "averaging/refresh_normalization.py:refresh_normalization": (
        "The first argument is no Keras model, or the model is not built.",
        "Pass a built model: give it an Input layer, or call it on data first.",
    ),
    "averaging/soup.py:soup": (
        "The statistics of `BatchNormalization` were averaged like the weights, but "
        "the mean of statistics does not fit the mean of weights.",
        "Pass the training inputs as `data=x`, or call "
        "`kol.refresh_normalization(model, x)`.",
    ),
    "averaging/soup.py:_checked": (
        "`members` is no list of models or of paths to files that exist, or another "
        "argument has the wrong type.",
        "Pass a list of models, `.keras` files or `.weights.h5` files, and check the "
        "paths.",
    ),
    "averaging/soup.py:_result": (
        "A `.weights.h5` file has no architecture, or the model that receives the "
        "mean is not built.",
        "Pass `model=`, a built model of the same architecture.",
    ),
    "averaging/soup.py:_Reader.read": (
        "The weights of a file do not fit the architecture of the model.",
        "Use files of models with the same layers and shapes.",
    ),
    "averaging/soup.py:_Reader._check": (
        "The members have different numbers or shapes of weights.",
        "Average only models of one architecture.",
    ),
    "averaging/soup.py:_clone": (
        "Keras cannot clone the model, often because it is subclassed and has no "
        "`get_config`.",
        "Save the members as `.keras` files, or pass `model=`.",
    ),
    "callbacks/average_model_checkpoint.py:AverageModelCheckpoint.__init__": (
        '`save_freq` is neither "epoch" nor a positive integer.',
        'Write `save_freq="epoch"`, or a number of batches.',
    ),
    "callbacks/average_model_checkpoint.py:AverageModelCheckpoint.on_train_begin": (
        "The optimizer has no average of the weights, or it writes the average into "
        "the model itself.",
        "Construct the optimizer with `use_ema=True`; with EMA, SWA or a "
        "schedule-free optimizer use `keras.callbacks.ModelCheckpoint`.",
    ),
    "callbacks/base/accident_watch.py:AccidentWatch._warn_of_no_loss": (
        "The logs of `fit` have no metric with the name in `monitor`.",
        "Set `monitor` to the name of a loss in the progress bar.",
    ),
    "callbacks/base/adjustable_numbers.py:find_number": (
        "The object has no such hyperparameter, or `of` is a copy that the training "
        "does not use.",
        "Use a name from the message, and pass the optimizer's own transform or a "
        "regularizer of the built model.",
    ),
    "callbacks/base/adjustable_numbers.py:StockRate.__init__": (
        "The learning rate of a Keras optimizer cannot be set, because it follows a "
        "schedule or because there are several optimizers.",
        "Give the optimizer a number as rate, or pass one of several optimizers by "
        "`optimizer=`.",
    ),
    "callbacks/base/adjustable_numbers.py:required_rates": (
        "The callback has to change a learning rate, but there is no optimizer, or "
        "its rate is fixed by a schedule of a Keras optimizer.",
        "Use the optimizer of the same name from `kol.optimizers`: its schedules can "
        "be scaled.",
    ),
    "callbacks/base/atomic_files.py:write_atomically": (
        "The path of the file to write is a directory.",
        "Pass the path of a file in that directory.",
    ),
    "callbacks/base/callback.py:Callback.on_train_begin": (
        "Two callbacks set the same hyperparameter in one training.",
        "Remove one of them.",
    ),
    "callbacks/base/criteria.py:Criteria.__init__": (
        "A criterion compares validation values, and `monitor` is a training metric.",
        'Monitor a metric with the prefix "val_".',
    ),
    "callbacks/base/criteria.py:_checked": (
        "`criteria` is no list of criterion objects, has a class instead of an "
        "object, or has the same criterion twice.",
        "Pass a list of different objects of `kol.stopping`.",
    ),
    "callbacks/base/judging.py:JudgingCallback.__init__": (
        "With `criteria`, the callback has no patience unless you set one, so the "
        "unit has nothing to count.",
        "Set `patience`, or leave `patience_unit` out.",
    ),
    "callbacks/base/judging.py:JudgingCallback._check_criteria": (
        "A criterion needs steps or validation values that this training does not "
        "have.",
        "Pass `validation_data` to `fit`, add `Validate`, or remove the criterion.",
    ),
    "callbacks/base/judging.py:JudgingCallback._train_value": (
        "`ProgressQuotient` compares training and validation values, and the training"
        " metric of this name is not in the logs.",
        'Monitor a metric that `fit` reports for both, such as "val_loss".',
    ),
    "callbacks/base/metric.py:MetricCallback.on_train_begin": (
        "Keras validates at the end of an epoch only, so a validation metric has no "
        "value every few steps.",
        "Add `kol.callbacks.Validate(every=...)`, or leave `every` out.",
    ),
    "callbacks/base/metric.py:MetricCallback._read_metric": (
        "The monitored metric is a vector, for example one value per class.",
        'Average the metric, for example with `average="macro"`.',
    ),
    "callbacks/base/metric.py:MetricCallback._warn_missing": (
        "The logs have no metric of this name: a spelling error, or no validation.",
        "Use a name from the message, or pass `validation_data` to `fit`.",
    ),
    "callbacks/base/metric.py:_unit": (
        "The patience counts validations, and the monitored metric is a training "
        "metric.",
        'Monitor "val_...", or use another `patience_unit`.',
    ),
    "callbacks/base/optimizer_access.py:OptimizerAccess.required_optimizer": (
        "The callback needs hooks inside the step, which Keras' own optimizers do not"
        " have.",
        "Use the optimizer of the same name from `kol.optimizers`.",
    ),
    "callbacks/base/optimizer_access.py:OptimizerAccess.warn_of_no_step": (
        "The callback watches an optimizer that does not train, for example in a GAN "
        "with two optimizers.",
        "Pass the optimizer that trains by `optimizer=`.",
    ),
    "callbacks/base/sample.py:Sample.__init__": (
        "The arrays have different lengths, or fewer examples than two micro-batches.",
        "Pass arrays of one length with more examples, or a smaller `micro_batch`.",
    ),
    "callbacks/base/sample.py:_in_memory": (
        "The data gave no batch.",
        "Check that the data set is not empty or used up.",
    ),
    "callbacks/base/sample.py:_arrays.array": (
        "An entry of `data` is no array of numbers with one row per example.",
        "Convert it with `np.asarray`; encode strings as numbers.",
    ),
    "callbacks/base/serializable.py:_check_names": (
        "The callback has no argument of this name, or got arguments by position that"
        " it takes by name only.",
        "Use the names in the message.",
    ),
    "callbacks/base/statistics.py:StatisticsCallback.__init__": (
        "The optimizer keeps 64 records, and more would be made between two reads.",
        "Lower `every`, or raise `statistics_every`.",
    ),
    "callbacks/base/step.py:StepCallback.announce": (
        "The schedule spans the training, and a Keras optimizer does not count the "
        "updates of a training.",
        "Give the schedule `steps`, or use an optimizer of `kol.optimizers`.",
    ),
    "callbacks/base/validation_data.py:make_batches": (
        "The validation data repeat without end, cannot be read, or have fewer "
        "batches than `steps`.",
        "Set `steps`, or pass arrays, a finite `tf.data.Dataset` or a `PyDataset`.",
    ),
    "callbacks/base/validation_data.py:unpacked": (
        "`data` is a tuple with fewer than two or more than three parts.",
        "Pass (x, y) or (x, y, sample_weight).",
    ),
    "callbacks/base/validation_data.py:check_fit": (
        "The validation data have other targets or input shapes than the model takes.",
        "Pass validation data of the same form as the training data.",
    ),
    "callbacks/base/validation_data.py:_drawn": (
        "The validation data are a generator without `steps`, or the generator ended "
        "too early.",
        "Set `steps` to a number of batches that the generator has, or pass arrays.",
    ),
    "callbacks/batch_ramp.py:BatchRamp.__init__": (
        "`schedule` is no schedule object.",
        "Pass a schedule of `kol.schedules`.",
    ),
    "callbacks/batch_ramp.py:BatchRamp.on_train_begin": (
        "`max_accumulation_steps` is smaller than the number of batches that "
        "`MultiSteps` already accumulates.",
        "Raise `max_accumulation_steps`, or start `MultiSteps` with fewer.",
    ),
    "callbacks/batch_ramp.py:BatchRamp._multi_steps": (
        "The optimizer is not wrapped in `MultiSteps`, or a value that `BatchRamp` "
        "drives is itself a schedule.",
        "Compile with `MultiSteps(optimizer)`, as the message shows, and give the "
        "schedule to `BatchRamp`.",
    ),
    "callbacks/batch_ramp.py:BatchRamp._known": (
        "The length of the training is not known, so the ramp has no end.",
        "Pass `steps_per_epoch` to `fit`, or `steps` to the schedule.",
    ),
    "callbacks/gradient_clipping.py:GradientClipping.__init__": (
        "None or several of the limits are given.",
        "Give exactly one limit.",
    ),
    "callbacks/gradient_clipping.py:GradientClipping.on_train_begin": (
        "The optimizer was constructed with another kind of clipping.",
        "Remove the clipping argument of the optimizer, or the callback.",
    ),
    "callbacks/gradient_signals.py:GradientSignals.__init__": (
        "The examples cannot be divided into two or more micro-batches of equal size.",
        "Choose `examples` as a multiple of `micro_batch`, at least twice as large.",
    ),
    "callbacks/gradient_signals.py:GradientSignals._data": (
        "The callback has no examples or no weights of examples to compute gradients "
        "from.",
        "Pass `data=(x, y)` or `data=(x, y, sample_weight)`.",
    ),
    "callbacks/gradient_signals.py:GradientSignals._check_model": (
        "The model has no compiled loss or optimizer, or its `train_step` may "
        "minimize another loss than the compiled one.",
        "Compile with a loss, or implement `compute_loss`, or measure only "
        '"gradient_cosine".',
    ),
    "callbacks/gradient_signals.py:GradientSignals._fitting": (
        "The model cannot be called on the examples in `data`.",
        "Pass examples of the same form as in `fit`.",
    ),
    "callbacks/gradient_signals.py:_names": (
        "`signals` has a name that is no signal.",
        "Use names from the message, or None for all.",
    ),
    "callbacks/gradual_unfreezing.py:GradualUnfreezing.set_state": (
        "The saved training had another number of blocks than this model.",
        "Build the same model with the same `blocks` before resuming.",
    ),
    "callbacks/gradual_unfreezing.py:GradualUnfreezing._find_blocks": (
        "The model has fewer than two blocks of trainable weights, or `every` has the"
        " wrong number of entries.",
        "Build the model, make its layers trainable, and give `every` one entry for "
        "each block but the last.",
    ),
    "callbacks/gradual_unfreezing.py:GradualUnfreezing._of_optimizer": (
        "The optimizer was built while some layers were frozen, so it has no state "
        "for their weights.",
        "Make all layers trainable, then compile with a new optimizer.",
    ),
    "callbacks/gradual_unfreezing.py:GradualUnfreezing._warn_of_frozen_blocks": (
        "The training ends before all blocks have begun.",
        "Train for more epochs, or write a smaller `every`.",
    ),
    "callbacks/gradual_unfreezing.py:_begins": (
        "The entries are the epochs or steps at which one block after another is "
        "unfrozen, and one is below the entry before it.",
        "Sort them in rising order.",
    ),
    "callbacks/hyperparameter_scheduler.py:HyperparameterScheduler.__init__": (
        "`name` is no text, or `schedule` is neither a schedule nor a function.",
        'Write for example `HyperparameterScheduler("weight_decay", schedule)`.',
    ),
    "callbacks/hyperparameter_scheduler.py:HyperparameterScheduler._value_at": (
        "The function returned something that is no number.",
        "Return a float from the function in every case.",
    ),
    "callbacks/hyperparameter_scheduler.py:_owner": (
        "`of` is no transform and no regularizer of this package.",
        "Pass a transform or regularizer as `of`, and an optimizer as `optimizer=`.",
    ),
    "callbacks/hyperparameter_scheduler.py:_takes_value": (
        "The function needs more arguments than the step and the current value.",
        "Write a function of one or two arguments.",
    ),
    "callbacks/monitor.py:Monitor.dataframe": (
        "pandas is not installed.",
        "Run `pip install pandas`, or read `rows` and `columns`.",
    ),
    "callbacks/monitor.py:Monitor.plot": (
        "No step has been recorded.",
        "Call `fit` with this callback first.",
    ),
    "callbacks/qk_clip.py:QKClip.on_train_begin": (
        "The callback clips after the train step of `fit`, and the training has none.",
        "Train by `fit` with the optimizer of `compile`.",
    ),
    "callbacks/rate_finder.py:RateFinder.on_train_begin": (
        "`RateFinder` reads the data from `fit`, and this is a custom loop.",
        "Call `kol.find_rate(model, x, y)` before the loop.",
    ),
    "callbacks/reduce_on_plateau.py:ReduceOnPlateau.on_value": (
        "The monitored metric is NaN, which counts as no improvement and lowers the "
        "rate.",
        "Look for the cause of the NaN first: `kol.diagnose(model, x, y)`.",
    ),
    "callbacks/resume.py:Resume.__init__": (
        "The callback does not know when to save.",
        "Set `every` or `minutes`.",
    ),
    "callbacks/resume.py:Resume.on_train_begin": (
        "`Resume` needs the hooks of `fit`, and this training runs in another loop.",
        "Train with `fit`, or save the whole model by `model.save` in a custom loop.",
    ),
    "callbacks/resume.py:Resume._read.tell": (
        "The newest checkpoint cannot be read or has a wrong checksum, for example "
        "after a full disk.",
        "Nothing is needed: the checkpoint before it is used; check the disk.",
    ),
    "callbacks/resume.py:Resume._warn_of_write": (
        "The checkpoint cannot be written: no space, or no permission.",
        "Free space or choose another directory; the training goes on meanwhile.",
    ),
    "callbacks/resume.py:Resume._refuse_others": (
        "Another callback, such as `BackupAndRestore`, restores the training too.",
        "Remove the other callback.",
    ),
    "callbacks/resume.py:Resume._check_something_is_left": (
        "The saved training has already reached the number of `epochs`.",
        "Pass a larger `epochs`, or another directory for a new training.",
    ),
    "callbacks/spike_guard.py:SpikeGuard._give_up": (
        "Rolling back did not help: accidents came again and again.",
        "Check the data for bad rows, lower the learning rate, or clip the gradients.",
    ),
    "callbacks/tensorboard.py:TensorBoard._log_images": (
        "The first kernel cannot be drawn as images: it is no convolution on one or "
        "three channels, and no dense layer on pixels.",
        "Leave `images=True` out.",
    ),
    "callbacks/track.py:Track.__init__": (
        "The tracker has no method `log(values, step)`.",
        "Wrap it in a class with this method.",
    ),
    "callbacks/track.py:Track._log": (
        "The tracker raised an error, for example without network, so the callback "
        "stopped calling it.",
        "Correct the error in the message; the next `fit` logs again.",
    ),
    "callbacks/validate.py:Validate.__init__": (
        'Callbacks know validation metrics by the prefix "val_", which the name lacks.',
        'Write `name="val"` or a name that begins with "val_".',
    ),
    "callbacks/validate.py:Validate.on_train_begin": (
        "Two `Validate` callbacks report under one name.",
        "Give each its own `name`.",
    ),
    "callbacks/validate.py:Validate.on_train_end": (
        "The training had fewer steps than `every`.",
        "Lower `every`.",
    ),
    "callbacks/validate.py:Validate._check_model": (
        "The model is not compiled, has no loss, or is trained without steps.",
        "Call `compile` with a loss, and train with `fit`.",
    ),
    "callbacks/validate.py:Validate._make_batches": (
        "The callback got no data, and `fit` has no validation data that it could use.",
        "Pass `data=(x, y)`, or `validation_data` to `fit`.",
    ),
    "callbacks/validate.py:_check_shared": (
        "The same generator or `PyDataset` would be read in the middle of another "
        "pass.",
        "Pass a second generator with `steps`, or a second instance of the data set.",
    ),
    "callbacks/weight_clipping.py:WeightClipping.on_train_begin": (
        "The callback clips after the steps of an optimizer, and the training has "
        "none.",
        "Pass the optimizer that trains by `optimizer=`.",
    ),
    "callbacks/weight_clipping.py:WeightClipping._found": (
        "The model is not built, or `match` and `skip` leave no trainable weight.",
        "Build the model first; copy a path from the list in the message.",
    ),
    "callbacks/weight_clipping.py:_check_limits": (
        "Limits of different kinds are given, or `low` is above `high`.",
        "Give `low` and `high`, or `max_norm`, or `spectral_norm`.",
    ),
    "cli/compare.py:report": (
        "The command got the folders of several studies, and a report describes one.",
        "Pass one folder, or run the command once per study.",
    ),
    "cli/find_rate.py:find_rate": (
        "matplotlib is not installed, which draws the picture.",
        'Run `pip install "keras-optlab[plot]"`, or leave the picture out.',
    ),
    "cli/listing.py:list_names": (
        "`--family` was given for a list of something else than optimizers.",
        "Leave `--family` out.",
    ),
    "cli/listing.py:_chosen": (
        "The pattern fits no name.",
        'Use one of the names in the message, or a wildcard such as "*adam*".',
    ),
    "cli/listing.py:_families": (
        "The chosen optimizers have no such family.",
        "Use one of the families in the message.",
    ),
    "cli/loading.py:choose_backend": (
        "`--backend` is no backend of Keras, or the backend is not installed.",
        "Choose tensorflow, jax or torch, and install it with pip.",
    ),
    "cli/names.py:match": (
        "No entry has this name.",
        "Use the name that the message suggests.",
    ),
    "cli/options.py:assignments": (
        "An option is not of the form NAME=VALUE, or a name occurs twice.",
        "Write for example `learning_rate=3e-3`, each name once.",
    ),
    "cli/paths.py:paths": (
        "matplotlib is not installed, which draws the picture.",
        'Run `pip install "keras-optlab[plot]"`.',
    ),
    "cli/plot.py:plot": (
        "matplotlib is not installed, which draws the picture.",
        'Run `pip install "keras-optlab[plot]"`.',
    ),
    "cli/plot.py:read_schedule": (
        "The text is no call of a schedule.",
        "Write a name, or a call in quotes such as 'cosine(1e-3, steps=500)'.",
    ),
    "cli/plot.py:_made": (
        "An argument of the schedule is no number, list or schedule.",
        "Write numbers, lists of numbers, or nested schedules.",
    ),
    "cli/verify.py:_backends": (
        "`--backend` has a backend that is not installed or does not exist.",
        "Choose from the installed backends in the message, or install the backend.",
    ),
    "constraints/clip_value.py:ClipValue.bind": (
        "The lower limit is above the upper limit.",
        "Exchange `low` and `high`.",
    ),
    "constraints/min_max_norm.py:MinMaxNorm.bind": (
        "The smallest norm is above the largest norm.",
        "Exchange `min_value` and `max_value`.",
    ),
    "constraints/norms.py:check_axis": (
        "`axis` is no integer and no list of integers.",
        "Write for example `axis=0`, or None for all axes.",
    ),
    "constraints/norms.py:in_range": (
        "The weight has fewer axes than `axis` names, for example a bias.",
        "Change `axis`, or constrain kernels only.",
    ),
    "core/arguments.py:flag": (
        "An argument that switches something on or off is neither True nor False.",
        "Write True or False.",
    ),
    "core/arguments.py:choice": (
        "An argument has none of its allowed values.",
        "Choose one of the values in the message.",
    ),
    "core/arguments.py:metric_name": (
        "`monitor` is no text.",
        'Pass the name of a metric, such as "val_loss".',
    ),
    "core/arguments.py:local_path": (
        "The argument is no path.",
        "Pass a string or a `pathlib.Path`.",
    ),
    "core/arguments.py:globs": (
        "The selection of weights is neither a glob nor a list of globs.",
        'Write patterns such as "*/kernel".',
    ),
    "core/arguments.py:optional_function": (
        "The argument cannot be called.",
        "Pass a function, or leave the argument out.",
    ),
    "core/arguments.py:optional_schedule": (
        "`schedule` is no schedule object; a function is not accepted here.",
        "Pass an object of `kol.schedules`, whose values are factors.",
    ),
    "core/arguments.py:optional_optimizer": (
        "`optimizer` is no optimizer.",
        "Pass the optimizer object that takes the steps, such as `gan.d_optimizer`.",
    ),
    "core/arguments.py:text": (
        "The argument is no text, or an empty one.",
        "Pass a string.",
    ),
    "core/arguments.py:mapping": (
        "The argument is no dict, or has keys that are no texts.",
        "Pass a dict with the names of arguments as keys.",
    ),
    "core/axes.py:_as_axes": (
        "`axes` has something else than integers in it.",
        "Pass two tuples of integers, such as axes=((0,), (1, 2)).",
    ),
    "core/axes.py:check_axes": (
        '`axes` is no pair, not "layer" and not None; or an axis is on both sides.',
        "Pass (inputs, outputs), such as axes=(0, (1, 2)).",
    ),
    "core/axes.py:given_axes": (
        "The weight has fewer axes than the group's `axes` name.",
        "Count the axes in the shape of the message, or narrow the group's match.",
    ),
    "core/attach.py:select": (
        "The model is not built, no name is given, or a name or glob fits no weight.",
        "Build the model first, and copy a name from the list in the message.",
    ),
    "core/attach.py:check": (
        "The object is no regularizer or constraint, or returns a result of the wrong"
        " shape.",
        "Use an object of `kol.regularizers` or `kol.constraints`, or correct your "
        "function.",
    ),
    "core/declaration_checks.py": (
        "The class declares an argument or a slot whose name is taken, repeated or "
        "unknown, or a slot of an unknown shape.",
        "Rename the argument or slot, as the message shows.",
    ),
    "core/declared.py:Declared.bind": (
        "The class has no argument of this name, or too many arguments came by "
        "position.",
        "Use the argument that the message suggests.",
    ),
    "core/declared.py:Declared.write_field": (
        "A transform, schedule or regularizer that nothing drives cannot be changed.",
        "Construct a new object with the new value.",
    ),
    "core/figures.py:new_axes": (
        "matplotlib is not installed.",
        "Run `pip install keras-optlab[plot]`, or read the numbers, as the message "
        "says.",
    ),
    "core/fields.py:HyperField.validate": (
        "A hyperparameter is no number or outside of its range.",
        "Pass a value in the range that the message shows.",
    ),
    "core/fields.py:FlagField.validate": (
        "An argument that switches something on or off is neither True nor False.",
        "Write True or False.",
    ),
    "core/fields.py:ChoiceField.validate": (
        "An argument has none of its allowed values.",
        "Choose one of the values in the message.",
    ),
    "core/fields.py:OptionField.validate": (
        "An argument of the optimizer has a value that its check refuses; the text "
        "after the name says why.",
        "Correct the value as the text says.",
    ),
    "core/fields.py:check_schedule": (
        "The schedule gives a value outside of the range of the hyperparameter at "
        "some step.",
        "Change the schedule so that all its values are in the range.",
    ),
    "core/groups.py:Group.__init__": (
        "`learning_rate` of a group is a factor on the optimizer's rate, a number of "
        "0 or more, and no schedule; `frozen` is True or False.",
        "Write a factor such as `learning_rate=0.1`, and give the schedule to the "
        "optimizer.",
    ),
    "core/groups.py:check_match": (
        "`match` is nothing that selects weights, for example a number or a whole "
        "list of data.",
        'Pass a layer, a variable, a glob such as "encoder/*", a list of these, or a '
        "function of the variable.",
    ),
    "core/groups.py:check_hyperparameter": (
        "A group sets an argument that no optimizer has, or gives it a value of the "
        "wrong type.",
        "Use the argument that the message suggests.",
    ),
    "core/groups.py:check_groups": (
        "`groups` has an entry that is no `kol.Group`, for example a dict as in torch.",
        "Write `groups=[kol.Group(layer_or_glob, learning_rate=0.1)]`.",
    ),
    "core/groups.py:assign_groups": (
        "The pattern of a group fits none of the trainable weights, earlier groups "
        "take them all, or weights were frozen when `layerwise_decay` made its groups.",
        "Copy a path from the list in the message, put the narrower group first, or "
        "make the groups again after unfreezing.",
    ),
    "core/groups.py:warn_of_parts_without_weights": (
        "An entry in the list of a group fits none of the trainable weights.",
        "Copy a path from the list in the message, or leave the entry out.",
    ),
    "core/layerwise.py:check_list": (
        "`blocks` is no list of layers, weights or globs.",
        "Pass a list of blocks, from the first to the last layer.",
    ),
    "core/layerwise.py:layerwise_decay": (
        "The model is not built or has no trainable weights, or `factor` is not in "
        "(0, 1].",
        "Build the model first, and choose for example `factor=0.9`.",
    ),
    "core/layerwise.py:check_blocks": (
        "`blocks` is no list, or some trainable weights are in no block.",
        "Add the weights in the message to a block.",
    ),
    "core/matrix_arguments.py:check_excluded": (
        "`exclude_layers` is no list of valid regular expressions.",
        'Pass a list such as ["embedding", "head"].',
    ),
    "core/newton_schulz.py:check_coefficients": (
        "`coefficients` is neither a known name nor a sequence of triples of numbers.",
        'Pass a name such as "polar_express", or triples such as [(1.5, -0.5, 0.0)].',
    ),
    "core/newton_schulz.py:check_singular_values": (
        "With these coefficients, Newton-Schulz iterations bring singular values far "
        "from 1, and training would diverge or stand still.",
        "Start from (3.4445, -4.775, 2.0315), or pass a name such as "
        '`coefficients="polar_express"`.',
    ),
    "core/mup.py:mup_groups": (
        "`kind` or `weight_decay` has a value that it does not take.",
        'Write "adam" or "sgd", and the number that is the optimizer\'s weight decay.',
    ),
    "core/mup.py": (
        "The two models of `mup_groups` or `mup_initialize` are not built, or their "
        "trainable weights do not correspond in number, name or number of axes.",
        "Make both models by one function of the width, with an Input layer.",
    ),
    "core/number_checks.py:Interval.__init__": (
        "The text of a range in a declaration cannot be read.",
        'Write ranges like "> 0", ">= 0" or "[0, 1)".',
    ),
    "core/rates.py:check_rate": (
        "The learning rate is negative, not finite, or nothing that gives a number; a"
        " class instead of an object is common.",
        "Pass a number of 0 or more, a schedule object or a function.",
    ),
    "core/rates.py:called": (
        "A function of the step computes with the integer step and a float, which "
        "TensorFlow refuses.",
        "Begin it with `step = keras.ops.cast(step, 'float32')`.",
    ),
    "core/rates.py:takes_step": (
        "The learning rate is a function that needs more than the step, or that does "
        "not show its arguments.",
        "Wrap it: `lambda step: f(step, ...)`.",
    ),
    "core/rates.py:LearningRateField.validate": (
        "The learning rate has a value that its check refuses; the text after the "
        "name says why.",
        "Correct the value as the text says.",
    ),
    "core/registry.py:check_pattern": (
        "The pattern for `optimizers.names` is no text.",
        'Write a glob such as "*adam*".',
    ),
    "core/registry.py:find": (
        "No optimizer has this name.",
        "Use the name that the message suggests, or one of `kol.optimizers.names()`.",
    ),
    "core/renamed.py:show_public_names.get": (
        "The module has no such name; it may have another name than in other "
        "libraries.",
        "Use the name in the message.",
    ),
    "core/spans.py:over": (
        "A schedule that spans the training is inside a schedule of Keras or of your "
        "own, which cannot tell it the length.",
        "Give the inner schedule `steps`, or use a schedule of `kol.schedules` around"
        " it.",
    ),
    "core/patterns.py:check_patterns": (
        "A regular expression is invalid, has more than 200 characters, or repeats a "
        "group that repeats something, which can take for ever.",
        "Write a simpler expression.",
    ),
    "core/records.py:records": (
        "A record of the event file has another checksum than when it was written.",
        "Copy the file again if it is a copy. The curves end before the damage.",
    ),
    "core/tuning.py": (
        "The search space of an optimizer has no values.",
        "Pass a tuple of values.",
    ),
    "core/values.py": (
        "An `update` writes into the values of its slots or hyperparameters, or reads"
        " a name that is not declared.",
        "Return `s.next(name=...)`, and declare each name as a field or a Slot.",
    ),
    "diagnosis/diagnose.py:diagnose": (
        "Data were passed together with the record of a training, which needs none.",
        "Pass the record alone, or the compiled model with data.",
    ),
    "diagnosis/diagnose.py:_read": (
        "The source is no record of a training and no compiled model, or the record "
        "is empty.",
        "Pass what `fit` returned, a `Monitor` that was trained with, a log "
        "directory, or a model with data.",
    ),
    "diagnosis/from_log.py:read_log": (
        "The directory has no scalars of `kol.callbacks.TensorBoard`; other callbacks"
        " use other tags.",
        "Train with `kol.callbacks.TensorBoard`, and pass its `log_dir`.",
    ),
    "diagnosis/from_log.py:_one_log": (
        "The path is no directory, or has the logs of several trainings below it.",
        "Pass the directory of one training.",
    ),
    "diagnosis/from_log.py:_events": (
        "The package `tensorboard` is not installed.",
        "Run `pip install tensorboard`.",
    ),
    "diagnosis/probe.py:probe": (
        "A model was passed without data, so no step can be run.",
        "Write `kol.diagnose(model, x, y)`.",
    ),
    "diagnosis/probe.py:_Probe._train": (
        'The custom `train_step` returns no entry "loss".',
        'Return the loss in the dict of `train_step` under the name "loss".',
    ),
    "engine/description.py:Description.describe": (
        "The optimizer does not know its weights yet.",
        "Train a step first, or call `optimizer.build(model.trainable_variables)`.",
    ),
    "engine/backend/datasets.py:batches_again": (
        "The data give each batch once only, and a function that puts everything back"
        " must read them again.",
        "Pass arrays, a `tf.data.Dataset`, a `PyDataset` or a `DataLoader`.",
    ),
    "engine/backend/datasets.py:independent_copy": (
        "TensorFlow cannot copy the pipeline, for example as it holds more than 2 GiB"
        " of arrays.",
        "Read the data from files in the pipeline, or pass arrays.",
    ),
    "engine/backend/devices.py:check_backend": (
        "Keras does not divide batches between devices on torch.",
        "Set KERAS_BACKEND to jax or tensorflow.",
    ),
    "engine/backend/devices.py:have_devices": (
        "There are fewer devices than asked for, or the CPU was used before it could "
        "be divided.",
        "Lower `devices`, or set it in the first training of the process.",
    ),
    "engine/backend/fit_batches.py:FitBatches._drop": (
        "The resumed `fit` got data with fewer batches than the saved training had "
        "already used.",
        "Pass the same data, or another directory to begin anew.",
    ),
    "engine/backend/keras_adapter.py:KerasAdapter.update_step": (
        "A program called `update_step` of a single weight, but the engine updates "
        "all weights in one call.",
        "Call `optimizer.apply(gradients, weights)`.",
    ),
    "engine/backend/layouts.py:check_layout": (
        "A layout in the `LayoutMap` is meant for a variable of the optimizer, but has "
        "another number of axes, or does not divide them without remainder.",
        "Give it another layout, or none: then it follows its weight.",
    ),
    "engine/backend/layouts.py:check_same_mesh": (
        "With `shard_state`, the optimizer was built under one distribution and "
        "trains under another, or without one.",
        "Set the distribution first, then make the model and the optimizer again.",
    ),
    "engine/backend/layouts.py:check_shard_state": (
        "`shard_state=True` divides the state over the devices of a "
        "`keras.distribution` on JAX, and there is none, or the model or the "
        "optimizer was made before it was set.",
        "Call `keras.distribution.set_distribution(keras.distribution.DataParallel())` "
        "before the model is made, or leave `shard_state` out.",
    ),
    "engine/backend/partial_calls.py:PartialCalls.weights_of": (
        "The optimizer got weights that it was not built for, usually after freezing "
        "or unfreezing layers.",
        "Compile the model again with a new optimizer after changing `trainable`.",
    ),
    "engine/backend/process_group.py:join": (
        "The process used JAX before it joined the other processes.",
        "Call the function first, before any model or tensor is made.",
    ),
    "engine/backend/torch_habits.py:OnlyInTorch.__get__": (
        "The program uses the interface of torch's optimizers, such as `step` or "
        "`zero_grad`.",
        "Do what the message says instead, such as `optimizer.apply(gradients, "
        "weights)`.",
    ),
    "engine/backend/torch_habits.py:OnlyInTorch.__set__": (
        "A name of another library's optimizers is set, such as `optimizer.lr`.",
        "Set what the message names, such as `optimizer.learning_rate`.",
    ),
    "engine/backend/torch_habits.py:_variables": (
        "The weights are parameters of a torch module and no Keras variables.",
        "Pass `model.trainable_variables` of a Keras model.",
    ),
    "engine/backend/torch_habits.py:check_no_weights": (
        "The first argument is `net.parameters()`, as torch's optimizers take it.",
        "Leave the weights out: `model.compile(optimizer)` passes them.",
    ),
    "engine/fused/on_torch.py:OnTorch._run": (
        "`torch.compile` raised the error in the message, for example without a C++ "
        "compiler.",
        "Nothing is needed, the results are the same; correct the error for more "
        "speed.",
    ),
    "engine/hyperparameters/access.py:HyperparameterAccess._field": (
        "The optimizer has no hyperparameter of this name.",
        "Use the name that the message suggests.",
    ),
    "engine/hyperparameters/access.py:HyperparameterAccess._check_gate": (
        "The hyperparameter was 0 at construction, so its slot variable was not made.",
        "Construct the optimizer with a value above 0, and change that.",
    ),
    "engine/hyperparameters/checks.py:check_decay_schedule": (
        "`decay_schedule` has a value that it does not take.",
        'Write None or "corrected". A schedule of the decay itself is the value of '
        "`weight_decay`.",
    ),
    "engine/hyperparameters/checks.py:check_mask": (
        "`decay_mask` has a value that it does not take.",
        'Write None, "matrices", or a function of the variable that returns True or '
        "False.",
    ),
    "engine/hyperparameters/checks.py:check_name": (
        "`name` of the optimizer is no text.",
        "Pass a string or None.",
    ),
    "engine/hyperparameters/checks.py:check_slot_dtype": (
        '`slot_dtype` takes only "bfloat16" and "int8"; in float16, squares of '
        "gradients underflow to 0.",
        'Write `slot_dtype="bfloat16"` or `slot_dtype="int8"`, or leave it out.',
    ),
    "engine/hyperparameters/checks.py:_check_elementwise": (
        "State in 8 bits has a scale for each 256 entries, and this rule sees weights "
        "as a whole.",
        'Write `slot_dtype="bfloat16"`, or use an elementwise optimizer such as Adam.',
    ),
    "engine/hyperparameters/checks.py:check_transforms": (
        "The list has a class instead of an object, something that is no transform, "
        "or a transform for the other list.",
        "Write for example `update_transforms=[kol.transforms.Cautious()]`.",
    ),
    "engine/hyperparameters/checks.py:check_exclusion": (
        "`var_list` or `var_names` is a single value, or a pattern is no valid "
        "regular expression.",
        "Pass a list of variables, or a list of regular expressions.",
    ),
    "engine/hyperparameters/checks.py:check_lazy": (
        '`sparse="lazy"` updates only the touched rows, and another argument needs '
        "all rows.",
        'Write `sparse="dense"`, or leave that argument out.',
    ),
    "engine/hyperparameters/checks.py:check_group_fields": (
        "This optimizer has no such argument, or the argument holds for all weights "
        "together.",
        "Set it on the optimizer, or use the argument that the message suggests.",
    ),
    "engine/hyperparameters/keras_values.py:KerasLearningRate.write": (
        "The learning rate follows a schedule, so a number cannot be assigned; Keras'"
        " `ReduceLROnPlateau` does that.",
        "Use `kol.callbacks.ReduceOnPlateau`, or set `optimizer.learning_rate_scale`.",
    ),
    "engine/hyperparameters/keras_values.py:KerasLearningRate.drive": (
        "Two schedules or callbacks set the learning rate.",
        "Keep one, and set `learning_rate_scale` for a factor on it.",
    ),
    "engine/hyperparameters/keras_values.py:KerasArguments.write": (
        "The argument is part of the compiled step and cannot change.",
        "Construct a new optimizer with the new value.",
    ),
    "engine/model/rate_setters.py:refuse_rate_setters": (
        "A callback of Keras would set the learning rate, which follows a schedule.",
        "Use `kol.callbacks.ReduceOnPlateau`, or a number as the learning rate.",
    ),
    "engine/hyperparameters/options.py:Options.bind": (
        "Several kinds of clipping are set.",
        "Keep one, or combine them by `gradient_transforms`.",
    ),
    "engine/hyperparameters/ranges.py:as_scalar": (
        "A schedule or a function returned no number, or a tensor with several values.",
        "Return one number for each step.",
    ),
    "engine/hyperparameters/training_span.py:TrainingSpan.begin": (
        "The announced training has no update, or its number of epochs is missing.",
        "Call `optimizer.span(updates, epochs)` with at least one update; an "
        "accumulated update takes several batches.",
    ),
    "engine/hyperparameters/training_span.py:TrainingSpan.check": (
        "A custom loop uses a schedule without a length.",
        "Call `optimizer.span(updates)` before the loop, or give the schedule `steps`.",
    ),
    "engine/hyperparameters/variables.py:HyperparameterVariables.write": (
        "The hyperparameter is fixed, follows a schedule, was left out of the "
        "compiled step, or is held by JAX' trainer.",
        "Construct the optimizer with a number; in a callback on JAX, use "
        "`self.model.optimizer`.",
    ),
    "engine/hyperparameters/variables.py:HyperparameterVariables.drive": (
        "The hyperparameter is fixed at construction, or something else drives it "
        "already.",
        "Let one schedule or callback drive it, or construct a new optimizer.",
    ),
    "engine/lookup.py:optimizer_of": (
        "The function needs an optimizer of this package, and the model is compiled "
        "with another one.",
        "Compile with the optimizer of the same name from `kol.optimizers`.",
    ),
    "engine/model/fit_span.py:_begin": (
        "The schedule spans the `fit`, and the data do not tell their number of "
        "batches.",
        "Pass `steps_per_epoch` to `fit`, or `steps` to the schedule.",
    ),
    "engine/model/fit_span.py:_refuse_stock": (
        "A schedule without a length is in a Keras optimizer, which does not know the"
        " length of the training.",
        "Give it `steps`, or use the optimizer of the same name from `kol.optimizers`.",
    ),
    "engine/model/hooks.py:attach": (
        "`attach` got no model, or the optimizer needs more than one pass over a "
        "batch.",
        "Pass a `keras.Model`, or compile the model with the optimizer.",
    ),
    "engine/model/hooks.py:warn_of_averages": (
        "The optimizer averages weights, but no model knows it, so the model is "
        "evaluated with its training weights.",
        "Call `optimizer.attach(model)` before the loop, or evaluate within `with "
        "optimizer.evaluation_weights():`.",
    ),
    "engine/model/hooks.py:_check_weights": (
        "One optimizer object is used for two models.",
        "Give each model its own optimizer.",
    ),
    "engine/model/logit_clipping.py:LogitClipping._check_seen": (
        "The train step does not call an attention layer, or calls it as in inference.",
        "Call it with `training=True`, freeze it, or leave the callback out.",
    ),
    "engine/model/logit_clipping.py:_attention": (
        "Only the queries or only the keys of an attention layer are frozen.",
        "Freeze both or none.",
    ),
    "engine/model/logit_clipping.py:_check": (
        "An attention layer computes its logits in a way that the callback cannot "
        "follow, has LoRA, or is not built.",
        "Use Keras' layer without flash attention and LoRA; build the model first.",
    ),
    "engine/model/logit_clipping.py:_find": (
        "The model has no attention layer that is trained.",
        "Leave the callback out, or unfreeze the layers.",
    ),
    "engine/model/schedule_end.py:ScheduleEndWarning.on_epoch_begin": (
        "The schedule ends before the training does, or ended in an earlier `fit`; "
        "the rest trains at its last value.",
        "Compile with a new optimizer, and a schedule without `steps` or with enough "
        "of them.",
    ),
    "engine/model/second_pass_in_place.py:run": (
        "The optimizer needs two passes over each batch, which neither `tf.distribute` "
        "nor, on torch, `ModelParallel` allows.",
        "Train on one device, on JAX with `keras.distribution`, or on torch with "
        "`DistributedDataParallel` or `DataParallel`.",
    ),
    "engine/model/second_pass_in_place.py:_Step._shared": (
        "Several processes of torch have joined a process group, but do not average "
        "their gradients, so each would train weights of its own.",
        "Call the model through `DistributedDataParallel` in `train_step`, or leave "
        "the group before you train.",
    ),
    "engine/model/second_pass_in_place.py:_Step.run": (
        "The custom `train_step` does not call `optimizer.apply`.",
        "Apply the gradients once in `train_step`, by the optimizer that the model is"
        " compiled with.",
    ),
    "engine/model/second_pass_in_place.py:_Step.apply": (
        "The custom `train_step` calls `apply` more than once, or in a way that "
        "cannot be repeated.",
        "Add up the losses and apply their gradients in one call.",
    ),
    "engine/model/second_pass_in_place.py:_Step._loss": (
        "The optimizer needs the loss, and the custom `train_step` does not pass it to "
        "`optimizer.scale_loss`.",
        "Write `loss = self.optimizer.scale_loss(loss)` before the gradients.",
    ),
    "engine/model/second_pass_in_place.py:_Step._gradients": (
        "The second run of the custom `train_step` did not reach `optimizer.apply`.",
        "Make `train_step` call `apply` in every batch.",
    ),
    "engine/model/second_pass_in_place.py:_Step._hessian_times_on_tf": (
        "TensorFlow has no second derivative of an operation in the model.",
        "Use an optimizer without a Hessian, or another backend.",
    ),
    "engine/model/second_pass_in_place.py:_Step._hessian_times_on_torch": (
        "The second run of the custom `train_step` did not reach `optimizer.apply`.",
        "Make `train_step` call `optimizer.scale_loss`, `backward` and `apply` in "
        "every batch.",
    ),
    "engine/model/second_pass_on_jax.py": (
        "The custom `train_step` does not call `optimizer.stateless_apply` exactly "
        "once with the weights that it received.",
        "Call it once, with all trainable variables.",
    ),
    "engine/model/skip_warnings.py:SkipWatch._warn_of_last": (
        "Keras counts steps in int32 on JAX and torch, and the count is near its end.",
        "Save the weights, and go on with a new optimizer, whose count begins at 0.",
    ),
    "engine/model/skip_warnings.py:SkipWatch.look": (
        "Gradients or a hyperparameter were not finite, so the steps were skipped and"
        " changed no weight.",
        "Look for NaN in data and loss: `kol.diagnose(model, x, y)` and "
        "`kol.callbacks.SpikeGuard()` name the place.",
    ),
    "engine/optimizer.py:Optimizer.__init_subclass__": (
        "The class of an optimizer has no method `update`.",
        "Implement `update(self, w, g, s, h, t)`, or write `registered=False` for a "
        "base class.",
    ),
    "engine/optimizer.py:Optimizer.update_weights": (
        "The optimizer needs the `train_step` of a compiled model, or the model has "
        "its evaluation weights while it is trained.",
        "Train with `fit` or `train_on_batch`, or within `with "
        "optimizer.training_weights():`.",
    ),
    "engine/optimizer.py:Optimizer.exclude_from_weight_decay": (
        "The optimizer is built already, so its weights are assigned.",
        "Call it right after the constructor, or pass `decay_mask` to the constructor.",
    ),
    "engine/optimizer.py:Optimizer._check_accumulation": (
        "The optimizer compares gradients of the same batch, which accumulation would"
        " mix.",
        "Leave `gradient_accumulation_steps` out, and use larger batches.",
    ),
    "engine/rule.py:Rule.update": (
        "The class of an optimizer has no method `update`.",
        "Implement `update(self, w, g, s, h, t)`.",
    ),
    "engine/saving/matching.py:Misfits.tell": (
        "The file was saved by an optimizer with other arguments, or by a model with "
        "other weights or frozen layers.",
        "Construct optimizer and model as when the file was saved.",
    ),
    "engine/statistics/recorder.py:Recorder.request": (
        "The number of steps between two records is no positive integer.",
        "Pass an integer of 1 or more, or None.",
    ),
    "engine/update/plan.py:make_plan": (
        "The rule of this optimizer needs whole weights, so it cannot update touched "
        "rows alone.",
        'Write `sparse="dense"`, or use an elementwise optimizer such as Adam.',
    ),
    "engine/update/plan_warnings.py:warn_of_large_weights": (
        "A weight is larger than `max_size`, so the costly part of the rule is left "
        "out for it.",
        "Nothing is needed; raise `max_size` if memory and time allow.",
    ),
    "engine/update/plan_warnings.py:_warn_of_no_master_weights": (
        "No weight of the model is bfloat16 or float16, so there is nothing to copy.",
        "Leave `master_weights` out, or set Keras' dtype policy to bfloat16.",
    ),
    "engine/update/plan_warnings.py:_warn_of_no_exclusion": (
        "`exclude_from_weight_decay` names no weight of the model, so all weights "
        "decay.",
        'Use a name from the message, or write `decay_mask="matrices"`.',
    ),
    "engine/update/sparse.py:with_gradients": (
        "Replicas of `tf.distribute` touch different rows, so lazy updates would "
        "differ between them.",
        'Write `sparse="dense"`.',
    ),
    "engine/weights/result_check.py": (
        "`update` returns something else than the step and the slots, or tensors of "
        "another shape or type than the weight.",
        "End with `return step, s.next(...)`, with tensors of the weight's shape and "
        "type.",
    ),
    "engine/wrapper.py:Wrapper._named": (
        "The wrapper got too many arguments by position, or one argument twice.",
        "Pass the optimizer first and the other arguments by name.",
    ),
    "engine/wrapper.py:Wrapper.check": (
        "The inner optimizer cannot be wrapped: it is not of this package, is built, "
        "has the same wrapper, or needs what the wrapper needs; or an argument "
        "belongs to the inner optimizer.",
        "Wrap a new optimizer of `kol.optimizers`, and give learning rate and decay "
        "to it.",
    ),
    "finders/arguments.py:candidates": (
        "The values to try are no list of positive integers, or the list is empty.",
        "Pass a list such as [1, 8, 32].",
    ),
    "finders/arguments.py:check_compiled": (
        "The search trains with the optimizer and loss of the model, which is not "
        "compiled.",
        "Call `model.compile(optimizer, loss)` first.",
    ),
    "finders/arguments.py:checked": (
        "`monitor` is no name, or `lowest` is not below `highest`.",
        "Pass the name of a loss, and `lowest` below `highest`.",
    ),
    "finders/batch_size.py:find_batch_size": (
        "The search makes batches of different sizes, and the data come in batches "
        "already.",
        "Pass arrays, or take some thousand examples out of the data set, as the "
        "message shows.",
    ),
    "finders/batch_size_search.py:BatchSizeSearch._verified": (
        "Even the smallest batch size did not fit into memory or failed.",
        "Read the notes in the message; use a smaller model, smaller inputs, or mixed"
        " precision.",
    ),
    "finders/data.py:check_is_data": (
        "`x` is a single number, a text or something else that holds no examples.",
        "Pass arrays, a dataset or a data loader.",
    ),
    "finders/data.py:Arrays.__init__": (
        "The arrays have different numbers of examples, or none.",
        "Pass arrays of one length.",
    ),
    "finders/data.py:check_arrays": (
        "An array holds words, or the targets are missing.",
        "Encode words as numbers, and pass `y`.",
    ),
    "finders/data.py:check_batched": (
        "The data are a generator, which one run would use up, or come in batches "
        "that have a batch size of their own.",
        "Pass data that can be read again, and leave `y` and `batch_size` out for "
        "data in batches.",
    ),
    "finders/driven_value.py:find_value": (
        "The model has several optimizers, or a Keras optimizer, of which only the "
        "learning rate can be searched.",
        "Compile a copy of the model with one optimizer of `kol.optimizers`.",
    ),
    "finders/driven_value.py:Hyperparameter.__init__": (
        "The optimizer has no such number that may change in training, or it follows "
        "a schedule.",
        "Use a name from the message, and construct the optimizer with a number.",
    ),
    "finders/execution.py:_Data.__init__": (
        "The data do not tell their length.",
        "Pass `steps_per_epoch`.",
    ),
    "finders/execution_search.py:ExecutionSearch._steps_of": (
        "No setting of the step could be run; the note in the message has the error.",
        "Make `model.fit` run on the same data first.",
    ),
    "finders/find_rate.py:check_model": (
        "The model is not compiled, has no trainable weights, or is trained by a "
        "`tf.distribute` strategy.",
        "Compile the model, and build it outside of a strategy.",
    ),
    "finders/find_rate.py:_span": (
        "For another value than the learning rate, there is no usual range.",
        "Pass `lowest` and `highest`.",
    ),
    "finders/find_rate.py:_check_legal": (
        "The ends of the search are outside of the allowed range of the value, or in "
        "the wrong order.",
        "Choose ends in the range of the message.",
    ),
    "finders/range_test.py:RangeTest._step": (
        "The step does not return a loss of this name.",
        "Use one of the names in the message as `monitor`.",
    ),
    "finders/range_test.py:full_batches": (
        "The data are empty.",
        "Check the filter or the path of the data.",
    ),
    "finders/rate_range.py:RateRange.suggestion": (
        "The rule has an unknown name, or the losses say nothing about the rate: too "
        "noisy, flat, or rising from the start.",
        "Look at `result.plot()`, and search again with larger batches, more `runs` "
        "or other ends.",
    ),
    "finders/rate_range.py:RateRange.apply": (
        "The learning rate is a function, whose largest value is unknown.",
        "Set the rate by hand.",
    ),
    "finders/stopwatch.py:Stopwatch.on_train_begin": (
        "The data do not tell their length.",
        "Pass `steps_per_epoch`.",
    ),
    "finders/trials.py:Bench._prepare": (
        "Keras refuses to compile this model by XLA, so `jit_compile=True` was not "
        "tried.",
        "Nothing is needed; it is a note in the table of `tune_execution`.",
    ),
    "full_batch/arguments.py:check_model": (
        "The model is not built, not compiled, has no trainable weights, or has "
        "constraints on weights.",
        "Build and compile the model; train models with constraints by `fit`.",
    ),
    "full_batch/arguments.py:as_callbacks": (
        "An entry of `callbacks` is no Keras callback.",
        "Pass a list of callback objects.",
    ),
    "full_batch/arguments.py:check_validation": (
        "`validation_data` is no tuple of arrays.",
        "Pass (x, y) or (x, y, sample_weight).",
    ),
    "full_batch/arguments.py:check_options": (
        "`options` is no dict.",
        'Pass SciPy\'s options by name, such as {"maxcor": 20}.',
    ),
    "full_batch/data.py:Data.of": (
        "The arrays have different numbers of examples, or none.",
        "Pass arrays of one length.",
    ),
    "full_batch/data.py:_array": (
        "The data are no arrays of numbers; full-batch methods need all data at once.",
        "Convert the data to arrays, or train with `fit`.",
    ),
    "full_batch/epochs.py:Epochs.checked": (
        "The method tried a point where the loss or its gradient is NaN or infinite.",
        "Check the data for NaN, and scale inputs and targets to about 1.",
    ),
    "full_batch/methods.py:find_method": (
        "`method` is no method of `fit_full_batch`.",
        "Use a name from the message.",
    ),
    "full_batch/methods.py:scipy_optimize": (
        "SciPy is not installed.",
        "Run `pip install keras-optlab[full-batch]`.",
    ),
    "full_batch/methods.py:check_least_squares": (
        "The loss is not the plain mean squared error of one output, or the Jacobian "
        "would be too large.",
        'Use another method, such as "L-BFGS-B".',
    ),
    "lab/comparison.py:Comparison.judge": (
        "The objective is unknown, or the study was interrupted before its final runs.",
        "Run the same comparison again; it goes on where it ended.",
    ),
    "lab/devices.py:check_batch": (
        "The batch cannot be divided equally between the devices.",
        "Choose a multiple of the number of devices.",
    ),
    "lab/devices.py:_check_processes": (
        "The arguments for several processes are incomplete, contradict each other, "
        "or the backend is not JAX.",
        "Set `coordinator`, `process` and `processes` together, with "
        "KERAS_BACKEND=jax.",
    ),
    "lab/engines/__init__.py:make_engine": (
        "The engine is unknown, or `address` is given with an engine other than Ray.",
        'Use a name from the message, and `engine="ray"` with an address.',
    ),
    "lab/engines/addresses.py:check_answers": (
        "The address has the wrong form, or nothing listens there.",
        "Copy the address that `ray start --head` prints.",
    ),
    "lab/engines/cluster.py:_connect": (
        "Ray refused the connection, for example because of another version.",
        "Read the reason in the message; use the same versions of Ray and Python on "
        "all nodes.",
    ),
    "lab/engines/nodes.py:check_packages": (
        "A node has other packages or versions than this process.",
        "Install the same packages on all nodes.",
    ),
    "lab/engines/problems_sent.py:_send": (
        "The function of the problem cannot be pickled, for example as it uses an "
        "open file.",
        "Define it in a module, and make such objects inside the function.",
    ),
    "lab/exports.py:to_csv": (
        "The path is a file, and two files have to be written.",
        "Pass a folder.",
    ),
    "lab/exports.py:log_hparams": (
        "The folder has files already, which TensorBoard would show as one study.",
        "Pass a new or empty folder.",
    ),
    "lab/overview.py:Overview.__init__": (
        "These are not studies or their folders, there are fewer than two different "
        "problems, or no optimizer is in all studies.",
        "Pass studies of different problems with at least one common optimizer.",
    ),
    "lab/paths.py:paths": (
        "The problem has no surface of two numbers.",
        "Use a problem from the message.",
    ),
    "lab/paths.py:_best": (
        "The optimizer diverges at each rate of the search.",
        "Give it a smaller rate, as the message shows.",
    ),
    "lab/preparation.py:_candidates": (
        "Two candidates have the same label.",
        "Give a `label` to one of two that are alike.",
    ),
    "lab/problem_files.py:as_problem": (
        "The problem is a model instead of a function that makes one, or `data` is "
        "missing or too much.",
        "Pass a function that returns a new compiled model, with `data=(x, y)`.",
    ),
    "lab/problems/lookup.py:find": (
        "No built-in problem has this name, or the value is no problem.",
        'Use a name from the message, or "file.py:function".',
    ),
    "lab/problems/lookup.py:_read": (
        "The file has no such function, or the function returns no `lab.Problem`.",
        "Use a function from the message, and return a `lab.Problem`.",
    ),
    "lab/problems/lookup.py:_called": (
        "Your function raised an error, which the message shows with its line.",
        "Correct the line.",
    ),
    "lab/problems/lookup.py:_from_file": (
        "The file does not exist in the current folder.",
        "Check the path.",
    ),
    "lab/problems/problem.py:Problem.with_changes": (
        "The change is of a field that a `lab.Problem` does not have.",
        "Use the names of the arguments of `lab.Problem`.",
    ),
    "lab/problems/problem.py:Problem.new_model": (
        "The function of the problem does not return a model.",
        "Return a new `keras.Model` at each call.",
    ),
    "lab/problems/problem.py:Problem.__post_init__": (
        "`model` is a model or something else than a function.",
        "Pass a function that returns a new model.",
    ),
    "lab/problems/problem.py:Problem.splits": (
        "`data` is none of the accepted forms.",
        "Pass `lab.Data`, (x, y), or a function that returns one of them.",
    ),
    "lab/problems/problem.py:Problem._check_dataset": (
        "A `tf.data.Dataset` cannot go to another process, or it repeats without end.",
        "Pass a function that returns `lab.Data`, and leave `repeat` out.",
    ),
    "lab/problems/problem.py:split": (
        "There are too few rows for training, validation and test.",
        "Pass at least 4 rows.",
    ),
    "lab/problems/problem.py:_rows": (
        "A part of the data is no pair of arrays, or the arrays have different "
        "lengths.",
        "Pass (x, y) with the same number of rows.",
    ),
    "lab/problems/problem.py:_of_type": (
        "An argument of the problem has the wrong type.",
        "Pass a value of the type in the message.",
    ),
    "lab/problems/tabular.py:patients": (
        "The data come with scikit-learn, which is not installed.",
        "Run `pip install 'keras-optlab[lab]'`.",
    ),
    "lab/race.py:Race._round": (
        "Each candidate failed in its first trial.",
        "Correct the error in the message; try `model.fit` alone first.",
    ),
    "lab/recommend.py:seconds_of": (
        "`budget` cannot be read as a time.",
        'Write "90s", "5min", "1h", or a number of seconds.',
    ),
    "lab/recommend.py:_problem": (
        "The model is not compiled, or is subclassed and cannot be copied.",
        "Compile it, or pass a function that returns a new compiled model.",
    ),
    "lab/rendezvous.py:_read": (
        "`coordinator` is not of the form host:port.",
        'Write for example "10.0.0.1:12345".',
    ),
    "lab/rendezvous.py:_receive": (
        "Process 0 cannot use the port, or other processes did not start in time.",
        "Choose a free port, and start all processes with the same command.",
    ),
    "lab/rendezvous.py:_report": (
        "Process 0 cannot be reached, has ended, or was started with other arguments.",
        "Start process 0, check address and firewall, and use the same command in all"
        " processes.",
    ),
    "lab/requirements.py:need": (
        "A package that this part of the lab uses is not installed.",
        "Run the command in the message.",
    ),
    "lab/scores.py:check_objective": (
        "The objective is unknown, or it needs a target that the problem does not "
        "have.",
        'Use `objective="final"`, or set `target` of the problem.',
    ),
    "lab/statistics/arguments.py:check_arguments": (
        "The scores are no dict of lists, or a number is outside of its range.",
        "Pass {label: [score, ...]}, a margin of 0 or more, and alpha between 0 and 1.",
    ),
    "lab/statistics/arguments.py:_check_reruns": (
        "`reruns` has a label without scores, or not a list of lists.",
        "Pass for each tuned optimizer a list of settings, each a list of scores.",
    ),
    "lab/statistics/judgement.py:Judgement.verdict": (
        "One of the two labels is not in the judgement.",
        "Use labels from the message.",
    ),
    "lab/statistics/measures.py:Measure.__post_init__": (
        "The kind of score is unknown, or its limit or resolution is missing or "
        "outside of its range.",
        "Choose a kind from the message, and set `limit` for efforts.",
    ),
    "lab/statistics/measures.py:Measure._costs": (
        "A score is outside of the range of its kind, such as an accuracy in percent.",
        'Divide percentages by 100; use `kind="value"` for losses below 0.',
    ),
    "lab/statistics/measures.py:has_failed": (
        "A score is no number.",
        "Pass a float, or None for a failed run.",
    ),
    "lab/statistics/pair_tests.py:special": (
        "SciPy is not installed.",
        "Run `pip install keras-optlab[lab]`.",
    ),
    "lab/statistics/profiles.py:PerformanceProfile.area": (
        "`up_to` is a ratio to the best optimizer, and must be above 1.",
        "Pass for example `up_to=10`.",
    ),
    "lab/statistics/profiles.py:performance_profiles": (
        "`costs` is empty, or optimizers have costs of different problems.",
        "Give each optimizer a cost for each problem, None where it failed.",
    ),
    "lab/statistics/profiles.py:_by_problem": (
        "A cost is 0 or negative, and profiles compare ratios.",
        "Pass costs above 0, or None where the problem was not solved.",
    ),
    "lab/statistics/targets.py:first_reached": (
        "The two lists have different lengths, or the efforts do not rise.",
        "Pass one value per effort, in the order of the run.",
    ),
    "lab/statistics/targets.py:target_table": (
        "There are no targets.",
        "Pass at least one target.",
    ),
    "lab/statistics/targets.py:_row": (
        "A run has no evaluation.",
        "Leave the run out, or evaluate it at least once.",
    ),
    "lab/studies/records.py:Records._read": (
        "A line of the records is damaged, for example by a full disk.",
        "Delete this line; its trial is run again.",
    ),
    "lab/studies/study.py:Study.__init__": (
        "The folder has no `study.json`.",
        "Check the path, or run the comparison that writes it.",
    ),
    "lab/studies/study.py:Study.opened": (
        "Another process works in the same folder.",
        "Wait for it, or choose another folder.",
    ),
    "lab/studies/study.py:Study.check_progress": (
        "Each trial raised an error; the message has the last one.",
        "Correct it, and run the same command again.",
    ),
    "lab/studies/study.py:_read": (
        "The file is damaged, or another version of the package wrote it.",
        "Begin anew in another folder, or install that version.",
    ),
    "lab/studies/study.py:_check_same": (
        "The folder has the study of other arguments.",
        "Use the same arguments, or another folder.",
    ),
    "lab/trials/candidate.py:parsed": (
        "`optimizers` is no list, or an empty one.",
        "Name at least one optimizer.",
    ),
    "lab/trials/candidate.py:Candidate.__post_init__": (
        "The optimizer has no argument of this name.",
        "Use the name that the message suggests.",
    ),
    "lab/trials/candidate.py:Candidate.parse": (
        "The text is no name or call of an optimizer.",
        "Write for example 'adamw' or 'adam(learning_rate=0.001)'.",
    ),
    "lab/trials/candidate.py:_check_nesting": (
        "A wrapper has no inner optimizer, or something that is no wrapper has one.",
        "Write for example 'ema(adamw)'.",
    ),
    "lab/trials/setting.py:find_class": (
        'The name begins with "keras.", and Keras has no such optimizer.',
        "Use the name that the message suggests.",
    ),
    "optimizers/hyperball.py:Hyperball.check": (
        "`Hyperball` normalizes updates, and the inner optimizer finds their size "
        "itself or moves weights to an average.",
        "Wrap an optimizer with a learning rate, such as `AdamW` or `Muon`.",
    ),
    "optimizers/kron.py:Kron.update": (
        "A weight has more than 6 axes.",
        "Train this layer with another optimizer.",
    ),
    "optimizers/mechanic.py:Mechanic.check": (
        "`Mechanic` would scale the jumps of `Lookahead` to its slow weights, and "
        "change the norms that `Hyperball` keeps.",
        "Write `Lookahead(Mechanic(...))`; leave out `Mechanic` or `Hyperball`.",
    ),
    "optimizers/multi_steps.py:MultiSteps.check": (
        "The inner optimizer accumulates gradients itself, or has lazy updates.",
        'Leave `gradient_accumulation_steps` and `sparse="lazy"` out of the inner '
        "optimizer.",
    ),
    "optimizers/multi_steps.py:MultiSteps.updates_in": (
        "The number of accumulated batches follows a schedule without a length, on "
        "which the length itself depends.",
        "Give this schedule `steps`.",
    ),
    "optimizers/shampoo.py:Shampoo.update": (
        "A weight has more than 6 axes.",
        "Train this layer with another optimizer.",
    ),
    "optimizers/sm3.py:SM3.update": (
        "A weight has more than 6 axes.",
        "Train this layer with another optimizer.",
    ),
    "plotting/curves.py:_curves": (
        "The argument is no history, or has no numbers.",
        "Pass what `fit` returned, or the path of a `CSVLogger` file, after at least "
        "one epoch.",
    ),
    "plotting/curves.py:_of_file": (
        "The file is no log of `CSVLogger`, or has no rows.",
        "Pass a file with a column `epoch` and at least one row.",
    ),
    "recipes/last_layer.py:last_layer": (
        "The argument is no model, or the model has no `Dense` layer at its end.",
        "Pass a model whose last layer with weights is `Dense`.",
    ),
    "regularizers/orthogonal.py:deviation": (
        "The regularizer is on a vector, such as a bias.",
        "Use it on kernels only.",
    ),
    "regularizers/penalty.py:FactorField.validate": (
        "The factor of a regularizer is no number of the allowed range; a schedule is"
        " not accepted here.",
        "Pass a number, and drive it by `kol.callbacks.HyperparameterScheduler(..., "
        "of=regularizer)`.",
    ),
    "resuming/checkpoints.py:Checkpoints.lock": (
        "Another process trains with the same directory.",
        "Wait for it, or use another directory.",
    ),
    "resuming/checkpoints.py:Checkpoints.read": (
        "The file was changed or cut after it was written.",
        "Nothing is needed: the checkpoint before it is used.",
    ),
    "resuming/saved_training.py:RunningFit.check": (
        "Settings of the training changed since the checkpoint; the message lists "
        "them.",
        "If the change is intended, ignore the warning; else use the old settings.",
    ),
    "resuming/saved_training.py:_refuse": (
        "The model, the optimizer or the data are others than those of the checkpoint.",
        "Undo the change, or pass another directory to begin anew.",
    ),
    "schedules/arguments.py:LengthField.validate": (
        "A length is 0, negative, 1.0, or a number like 1.5 that is neither updates "
        "nor a share.",
        "Write an integer for updates, a share between 0 and 1, or nothing for the "
        "whole `fit`.",
    ),
    "schedules/arguments.py:ListField.validate": (
        "The argument is a single value.",
        "Pass a list.",
    ),
    "schedules/arguments.py:BoundariesField.validate": (
        "The boundaries mix updates with shares, or do not rise.",
        "Use only integers or only shares, in rising order.",
    ),
    "schedules/arguments.py:check_pieces": (
        "There must be one more piece than boundaries between them.",
        "Add or remove a piece or a boundary.",
    ),
    "schedules/base.py:Schedule.formula": (
        "The class of a schedule has no method `formula`.",
        "Define `formula(self, step, ops)`.",
    ),
    "schedules/base.py:Schedule.__call__": (
        "The schedule spans a training, and was called outside of one; or the step is"
        " negative.",
        "Give it `steps`, or call `schedule.values(n)`.",
    ),
    "schedules/base.py:Schedule.values": (
        "The schedule has a length in epochs, and the number of updates in an epoch "
        "is unknown.",
        "Pass `steps_per_epoch` to the schedule.",
    ),
    "schedules/base.py:Timed.bind": (
        "The length is given twice, or `steps_per_epoch` without `epochs`.",
        "Give `steps`, or `epochs`, or neither.",
    ),
    "schedules/cyclical.py:Cyclical.bind": (
        "`gamma` belongs to one mode only.",
        'Write `mode="exp_range"` with `gamma`, or leave `gamma` out.',
    ),
    "schedules/warmup.py:Warmup.bind": (
        "The warm-up has a schedule after it, and no length, so it would never end.",
        "Pass `steps`, such as 0.05 for 5 % of the training.",
    ),
    "schedules/warmup_stable_decay.py:WarmupStableDecay.bind": (
        "Warm-up and decay together are longer than the training.",
        "Choose shares whose sum is at most 1.",
    ),
    "stopping/base.py:Criterion.start": (
        "The criterion judges only metrics of one direction, such as errors.",
        "Monitor a loss, or use `Patience`, `Rising` or `Plateau`.",
    ),
    "stopping/base.py:Criterion.set_state": (
        "The saved state is of another criterion, or of another version of the class.",
        "Return the same entries from `get_state` that `set_state` takes.",
    ),
    "stopping/direction.py:infer_mode": (
        "The name of the metric does not tell whether high or low values are better.",
        'Pass `mode="min"` or `mode="max"`.',
    ),
    "stopping/direction.py:check_mode": (
        "`mode` is unknown, or contradicts the name of the metric.",
        "Leave `mode` out, or rename the metric.",
    ),
    "stopping/evidence.py:Evidence.__init__": (
        "The examples cannot be divided into two or more micro-batches of equal size.",
        "Choose `examples` as a multiple of `micro_batch`, at least twice as large.",
    ),
    "stopping/evidence.py:Evidence.set_data": (
        "The arrays have different lengths, or too few examples.",
        "Pass more examples, or a smaller `micro_batch`.",
    ),
    "stopping/evidence.py:Evidence.prepare": (
        "`Evidence` has no training examples, or the model has no compiled loss.",
        "Pass `x` and `y`, and compile with a loss.",
    ),
    "stopping/evidence.py:Evidence._warn_of_train_step": (
        "A custom `train_step` may minimize another loss than the compiled one.",
        "Implement `compute_loss` if it does.",
    ),
    "stopping/evidence.py:Evidence._fitting": (
        "The model cannot be called on the examples.",
        "Pass examples of the same form as in `fit`.",
    ),
    "stopping/evidence.py:_arrays.array": (
        "The examples are no arrays of numbers.",
        "Take examples out of the data set as arrays.",
    ),
    "stopping/generalization_loss.py:GeneralizationLoss.observe": (
        "The criterion uses the ratio to the best value, which has no meaning below 0.",
        "Use `Patience`, `Rising` or `Plateau`.",
    ),
    "stopping/limits.py:Limits.__init__": (
        "The target is worse than the limit for divergence, so that one of them "
        "always holds.",
        "Exchange or correct the two values.",
    ),
    "stopping/patience.py:Patience.__init__": (
        "`patience` is no integer of 0 or more.",
        "Pass an integer.",
    ),
    "stopping/progress_quotient.py:ProgressQuotient.decide": (
        "A custom loop passed the validation value without the training value.",
        "Call `update(value, train_value)`.",
    ),
    "tensorboard/configuration.py:check_hparams": (
        "`hparams` is no dict, or has a value that the page HPARAMS cannot show.",
        "Pass bools, numbers and strings by name.",
    ),
    "tensorboard/log.py:Log.__init__": (
        "`log_dir` is no path, or a remote address such as gs://.",
        "Write to a local directory, and copy it or mount the remote one.",
    ),
    "tensorboard/log.py:Log._try": (
        "The log cannot be written: the disk is full, or permission is missing.",
        "Free space, or pass another `log_dir`.",
    ),
    "transforms/base.py:Transform.__init_subclass__": (
        "The class of a transform has no method `run`.",
        "Implement `run`, or derive from `TensorTransform` and implement `one`.",
    ),
    "transforms/trust_ratio.py:TrustRatio.bind": (
        "The lower limit is above the upper limit.",
        "Exchange `low` and `high`.",
    ),
    "verify/command.py:_backends": (
        "`--backend` has a backend that is not installed.",
        "Choose from the message, or install the backend.",
    ),
    "verify/command.py:_require_rich": (
        "The package `rich` is not installed.",
        "Run `pip install rich`.",
    ),
    "verify/command.py:_rows_of_processes": (
        "The comparisons on one backend ended with an error, which is printed above.",
        "Correct that error, and run the command again.",
    ),
}

# Entries about a class that the reader writes.
AUTHORS = {
    "core/declaration_checks.py",
    "core/number_checks.py:Interval.__init__",
    "core/tuning.py",
    "core/values.py",
    "engine/optimizer.py:Optimizer.__init_subclass__",
    "engine/rule.py:Rule.update",
    "engine/weights/result_check.py",
    "schedules/base.py:Schedule.formula",
    "stopping/base.py:Criterion.set_state",
    "transforms/base.py:Transform.__init_subclass__",
}
