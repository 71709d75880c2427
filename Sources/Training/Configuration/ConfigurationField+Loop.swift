import Optimizers
import TensorIO

/// The keys that every run has.
extension ConfigurationField {
    /// `optimizer` and `schedule`.
    static var optimization: [ConfigurationField] {
        [
            .init("optimizer.name", \.optimizer.name, .choice, "The rule.", peerNames: ["optimizer_type"]),
            .init(
                "optimizer.learning_rate", \.optimizer.learningRate, .positive,
                "Step size; for prodigy a factor of its own estimate, usually 1.", peerNames: ["lr", "unet_lr"]),
            .init("optimizer.weight_decay", \.optimizer.weightDecay, .notNegative, "Decoupled weight decay."),
            .init(
                "optimizer.betas", \.optimizer.betas, .decayPair, "Decay of the running means of gradient and square."),
            .init("optimizer.epsilon", \.optimizer.epsilon, .positive, "Added to the denominator.", peerNames: ["eps"]),
            .init(
                "optimizer.bias_correction", \.optimizer.biasCorrection, .boolean, "prodigy: Adam's bias correction.",
                peerNames: ["use_bias_correction"]),
            .init(
                "optimizer.safeguard_warmup", \.optimizer.safeguardWarmup, .boolean,
                "prodigy: keep a warm-up's small rates out of the estimate's denominator."),
            .init("optimizer.d0", \.optimizer.d0, .positive, "prodigy: first estimate of the distance."),
            .init("optimizer.d_coef", \.optimizer.dCoef, .positive, "prodigy: a factor of the estimate."),
            .init(
                "optimizer.gradient_clip", \.optimizer.gradientClip, .notNegative,
                "Largest norm of the whole gradient; 0 is no limit.", peerNames: ["max_grad_norm", "clip_grad_norm"]),
            .init(
                "schedule.name", \.schedule.name, .choice, "The learning rate's curve after the warm-up.",
                peerNames: ["lr_scheduler", "learning_rate_scheduler"]),
            .init(
                "schedule.warmup_steps", \.schedule.warmupSteps, .integer(0...),
                "Optimizer steps over which the rate rises from zero.",
                peerNames: ["lr_warmup_steps", "learning_rate_warmup_steps"]),
        ]
    }

    /// `training`.
    static var loop: [ConfigurationField] {
        [
            .init(
                "training.steps", \.training.steps, .integer(1...), "Optimizer steps.",
                peerNames: ["max_train_steps", "max_steps"]),
            .init(
                "training.batch_size", \.training.batchSize, .integer(1...65536),
                "Samples in one pass through the model.",
                peerNames: ["train_batch_size"]),
            .init(
                "training.accumulate", \.training.accumulate, .integer(1...65536),
                "Passes whose gradients are averaged for one optimizer step.",
                peerNames: ["gradient_accumulation_steps", "gradient_accumulation", "accumulate_grad_batches"]),
            .init(
                "training.seed", \.training.seed, .integer(0...),
                "Seed of initialisation, order, noise, timesteps and text drop."),
            .init(
                "training.gradient_checkpointing", \.training.gradientCheckpointing, .boolean,
                "Compute blocks again in the backward pass instead of keeping their activations."),
            .init("training.threads", \.training.threads, .integer(0...4096), "Threads; 0 is one for each processor."),
            .init(
                "training.memory", \.training.memory, ConfigurationValue<String?>.optional(.byteCount),
                "The most memory that the run may take; weights are streamed from their files where it asks for that.",
                peerNames: ["max_memory", "blocks_to_swap", "vram"]),
            .init(
                "training.ema_decay", \.training.emaDecay, ConfigurationValue<Double?>.optional(.decay),
                "Decay of an exponential moving average of the adapter; null keeps none.", peerNames: ["ema_config"]),
            .init("training.stop_on_nan", \.training.stopOnNan, .boolean, "End the run when the loss is not a number."),
        ]
    }

    /// `output`.
    static var output: [ConfigurationField] {
        [
            .init(
                "output.folder", \.output.folder, .path, "The run's folder.", isRequired: true,
                peerNames: ["output_dir", "training_folder", "default_root_dir"]),
            .init(
                "output.log_every", \.output.logEvery, .integer(1...), "Steps between two lines of the metric log.",
                peerNames: ["logging_steps"]),
            .init(
                "output.checkpoint_every", \.output.checkpointEvery, .integer(0...),
                "Steps between two checkpoints; 0 writes one at the end only.",
                peerNames: ["save_every", "save_every_n_steps", "save_interval", "checkpointing_steps"]),
            .init(
                "output.checkpoint_minutes", \.output.checkpointMinutes, .notNegative,
                "Minutes of training after which a checkpoint is due whatever the step; 0 goes by steps alone.",
                peerNames: ["save_every_minutes"]),
            .init(
                "output.keep_checkpoints", \.output.keepCheckpoints, .integer(0...),
                "Checkpoints that stay, the newest; 0 keeps all.",
                peerNames: ["max_step_saves_to_keep", "checkpoints_total_limit", "save_last_n_steps"]),
            .init("output.metrics", \.output.metrics, .fileName, "Name of the metric log inside the folder."),
        ]
    }
}
