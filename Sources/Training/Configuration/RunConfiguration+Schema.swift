import DiptychData
import InContextEdit
import Models
import Optimizers
import TensorCore
import TensorIO

extension RunConfiguration {
    /// Every key, and what may change while a run goes on.
    public static let schema = ConfigurationSchema<RunConfiguration>(
        beforeAdapters + AdapterSection.all.flatMap(\.fields) + ConfigurationField.optimization + objectiveFields
            + ConfigurationField.loop + [guidance] + ConfigurationField.output,
        optionalSections: AdapterSection.all.map(\.section), changeable: changeable,
        blank: { RunConfiguration(basePath: "", dataPath: "", outputFolder: "") },
        contradictions: { $0.contradictions })

    private static let beforeAdapters: [ConfigurationField<RunConfiguration>] = [
        .init(
            "base.path", \.base.path, .path,
            "The frozen pipeline: a folder in diffusers' layout, or one with tokenizers where all models are named.",
            isRequired: true, peerNames: ["name_or_path", "pretrained_model_name_or_path", "base_model_name"]),
        .init(
            "base.framework", \.base.framework, .choice,
            "fill inpaints a diptych (ICEdit, FLUX.1 Fill); kontext sees the source in tokens (FLUX.1 Kontext)."),
        .init(
            "base.transformer", \.base.transformer, ConfigurationValue<String?>.optional(.path),
            "The transformer's safetensors or GGUF file instead of the folder's.", peerNames: ["unet", "dit"]),
        .init(
            "base.vae", \.base.vae, ConfigurationValue<String?>.optional(.path),
            "The autoencoder's file instead of the folder's.", peerNames: ["ae"]),
        .init(
            "base.clip", \.base.clip, ConfigurationValue<String?>.optional(.path),
            "The CLIP text encoder's file instead of the folder's.", peerNames: ["clip_l"]),
        .init(
            "base.t5", \.base.t5, ConfigurationValue<String?>.optional(.path),
            "The T5 text encoder's file instead of the folder's.", peerNames: ["t5xxl"]),
        .init(
            "base.precision", \.base.precision, .choice,
            "Type of the activations; frozen weights stay in their file's type.",
            peerNames: ["dtype", "mixed_precision", "weight_dtype"]),
        .init(
            "base.vae_precision", \.base.vaePrecision, .choice,
            "Type of the autoencoder's activations; bfloat16 is about twice as fast.",
            peerNames: ["vae_dtype", "ae_dtype", "vae_torch_dtype"]),
        .init(
            "base.vae_tiling", \.base.vaeTiling, .choice,
            "Work through images in tiles, with the same result in less memory; auto: above 1024 x 2048 pixels.",
            peerNames: ["enable_vae_tiling", "vae_enable_tiling", "enable_tiling"]),
        .init(
            "base.vae_tile_size", \.base.vaeTileSize, .integer(8...65536), "Rows of pixels in a tile.",
            peerNames: ["tile_sample_min_size", "tile_sample_min_height"]),
        .init(
            "base.text_encoder_precision", \.base.textEncoderPrecision, .choice,
            "Type of the text encoders' activations; frozen weights stay in their file's type.",
            peerNames: ["te_dtype", "text_encoder_dtype", "t5xxl_dtype"]),

        .init(
            "data.path", \.data.path, .path, "A dataset: a list (metadata.jsonl, .csv), shards, or pictures.",
            isRequired: true,
            peerNames: ["folder_path", "train_data_dir", "dataset_config"]),
        .init("data.panel_width", \.data.panelWidth, .pixels(), "Width of one panel."),
        .init("data.panel_height", \.data.panelHeight, .pixels(), "Height of one panel."),
        .init(
            "data.panel_layout", \.data.panelLayout, .choice,
            "Panels beside each other, as upstream, or stacked; auto stacks those that are wider than tall.",
            formerKey: "data.arrangement"),
        .init(
            "data.max_sequence_length", \.data.maxSequenceLength, .integer(1...512),
            "T5 tokens that a prompt is padded and cut to.", peerNames: ["t5xxl_max_token_length"]),
        .init("data.prompt_form", \.data.promptForm, .choice, "How an instruction becomes a prompt."),
        .init(
            "data.text_drop", \.data.textDrop, .fraction, "Probability that a sample is trained without its text.",
            peerNames: ["caption_dropout_rate", "drop_text_prob"]),
        .init(
            "data.cache_latents", \.data.cacheLatents, .boolean,
            "Keep latents and text embeddings in memory after the first pass.", peerNames: ["cache_latents_to_disk"]),
        .init("data.shuffle", \.data.shuffle, .boolean, "Give each pass through the data its own order."),
        .init(
            "data.also", \.data.also, .datasets,
            "Further datasets, mixed with that of data.path: paths, or {path: …} with settings of their own.",
            peerNames: ["datasets", "subsets"]),
        .init(
            "data.weights", \.data.weights, .numbers("above 0 and at most 100") { $0 > 0 && $0 <= 100 },
            "How often each dataset's pairs come in a pass: 2 is twice, 0.5 a random half; [] is once.",
            peerNames: ["num_repeats", "probs", "sampling_weights"]),
        .init(
            "data.columns", \.data.columns, .texts("name=column"),
            "The datasets' own names, such as instruction=edited_prompt_list or source=src_img.",
            peerNames: ["caption_column", "image_column", "column_mapping"]),
        .init("data.tasks", \.data.tasks, .texts("tasks"), "Keep pairs of these tasks only; [] keeps all."),
        .init(
            "data.minimum_score", \.data.minimumScore, ConfigurationValue<Double?>.optional(.number()),
            "Leave pairs with a lower score out; those without a score stay.", peerNames: ["min_score"]),
        .init(
            "data.crop_bottom", \.data.cropBottom, .integers("0 or 2 and more") { $0 == 0 || $0 > 1 },
            "For each dataset, cut the bottom height / N rows off its pictures (MagicBrush: 32; none: 0); [] is none."),
        .init(
            "data.background", \.data.background, .background,
            "What transparent parts of pictures are laid over: white, black, gray or \"#rrggbb\".",
            peerNames: ["alpha_background"]),
        .init(
            "data.allow_outside", \.data.allowOutside, .boolean,
            "Let lists name pictures that lie outside their dataset's folder."),
        .init(
            "data.allow_mismatch", \.data.allowMismatch, .boolean,
            "Take pairs whose target has other proportions than its source; both are squashed into the panel."),
        .init(
            "data.instruction", \.data.instruction, .choice,
            "Which of a pair's instructions is taken; random draws one anew every time.",
            peerNames: ["random_caption", "shuffle_caption"]),
        .init(
            "data.mirror", \.data.mirror, .fraction,
            "Probability that both panels are mirrored, of pairs that say mirrorable or have words known to be safe.",
            peerNames: ["flip_aug", "random_flip"]),
        .init(
            "data.crop_scale", \.data.cropScale, .number("above 0, at most 1") { $0 > 0 && $0 <= 1 },
            "Least share of a picture's sides that a random crop keeps; 1 crops nothing.", peerNames: ["random_crop"]),
        .init(
            "data.buckets", \.data.buckets, .texts("WxH"),
            "Shapes of panels, such as 416x624; each pair gets the nearest, each batch has one. [] is one shape.",
            peerNames: ["enable_bucket", "resolution", "aspect_ratio_buckets"]),
        .init(
            "data.text_padding", \.data.textPadding, .choice,
            "full pads prompts to max_sequence_length, as upstream; trimmed to the next 64 tokens: other results."),
        .init(
            "data.cache", \.data.cache, ConfigurationValue<String?>.optional(.path),
            "Folder of the cache that diptych data encode makes; training then needs no encoders.",
            peerNames: ["cache_dir", "cache_latents_dir", "latent_cache"]),
        .init(
            "data.cache_precision", \.data.cachePrecision, .choice,
            "Type of the cached latents and embeddings; float32 is twice as large and changes no result."),
        .init(
            "data.on_error", \.data.onError, .choice,
            "A faulty pair stops the run before its first step, or is replaced by the next one.",
            peerNames: ["skip_errors"]),
        .init(
            "data.check_first", \.data.checkFirst, .boolean,
            "Decode every picture once before the first step (on_error: stop, without a cache)."),
        .init(
            "data.workers", \.data.workers, .integer(0...256), "Threads that read ahead; 0 reads between steps.",
            peerNames: ["num_workers", "dataloader_num_workers", "max_data_loader_n_workers"]),
        .init(
            "data.prefetch", \.data.prefetch, .integer(1...65536), "Samples that are read ahead at most.",
            peerNames: ["prefetch_factor"]),

        .init(
            "adapter.start_from", \.adapter.startFrom, ConfigurationValue<String?>.optional(.path),
            "Begin from trained weights: a LoRA file in any layout, ICEdit's released ones, a checkpoint or a run's folder.",
            peerNames: ["network_weights", "resume_lora", "pretrained_lora", "lora_path", "lora_weights_path"]),
    ]

    private static let changeable = [
        "training.steps", "training.threads", "training.memory", "training.gradient_checkpointing",
        "training.stop_on_nan", "optimizer.learning_rate", "optimizer.weight_decay", "optimizer.gradient_clip",
        "schedule", "base.path", "base.transformer", "base.vae", "base.clip", "base.t5", "base.vae_tiling",
        "base.vae_tile_size", "data.path", "data.also", "data.allow_outside", "data.allow_mismatch", "data.cache",
        "data.cache_latents", "data.on_error", "data.check_first", "data.workers", "data.prefetch",
        "adapter.start_from",
        "output",
    ]

    private static let objectiveFields: [ConfigurationField<RunConfiguration>] = [
        .init(
            "objective.timestep_sampling", \.objective.timestepSampling, .choice,
            "Distribution of the timestep t; length_shift moves it towards noise the more tokens a canvas has.",
            formerKey: "training.timestep_sampling", peerNames: ["timestep_type", "timestep_distribution"]),
        .init(
            "objective.timestep_mean", \.objective.timestepMean, .number(),
            "Mean of the normal under the sigmoid; sigmoid and uniform have none.",
            formerKey: "training.timestep_mean", peerNames: ["logit_mean"]),
        .init(
            "objective.timestep_std", \.objective.timestepStd, .positive,
            "Standard deviation of that normal; uniform has none.",
            formerKey: "training.timestep_std", peerNames: ["logit_std", "sigmoid_scale"]),
        .init(
            "objective.timestep_shift", \.objective.timestepShift, .positive,
            "shift: t becomes s t / (1 + (s - 1) t); 1 moves nothing.",
            peerNames: ["discrete_flow_shift", "timestep_bias"]),
        .init(
            "objective.weighting", \.objective.weighting, .choice,
            "How the error at a time counts: all alike, as t^-2, or as a cosine schedule's density.",
            peerNames: ["weighting_scheme", "loss_weighting"]),
    ]

    private static let guidance = ConfigurationField<RunConfiguration>(
        "training.guidance", \.training.guidance, .notNegative, "Guidance scale, fed to the guidance embedding.",
        peerNames: ["guidance_scale"])
}
