import ArgumentParser
import InContextEdit
import Models

/// The flags that name the frozen pipeline: a folder, and files in the place of its models.
struct BaseOptions: ParsableArguments {
    @Option(
        name: .long,
        help: """
            The frozen pipeline: a folder in diffusers' layout, or, where all four models are named, one with \
            'tokenizer' and 'tokenizer_2'.
            """, completion: .directory)
    var base: String

    @Option(
        name: .long,
        help: "The transformer instead of the folder's: a safetensors (diffusers, BFL, ComfyUI) or GGUF file.",
        completion: .file(extensions: ["safetensors", "gguf"]))
    var transformer: String?

    @Option(
        name: .long, help: "The autoencoder instead of the folder's, such as ae.safetensors.",
        completion: .file(extensions: ["safetensors"]))
    var vae: String?

    @Option(
        name: .long, help: "The CLIP text encoder instead of the folder's, such as clip_l.safetensors.",
        completion: .file(extensions: ["safetensors"]))
    var clip: String?

    @Option(
        name: .long, help: "The T5 text encoder instead of the folder's: a safetensors or GGUF file.",
        completion: .file(extensions: ["safetensors", "gguf"]))
    var t5: String?

    @Option(
        name: .long,
        help: """
            How the base is asked for an edit: fill (a diptych is inpainted, ICEdit on FLUX.1 Fill) or kontext (the source in \
            tokens, FLUX.1 Kontext). As the folder's class says unless given, else fill.
            """)
    var framework: FrameworkName?

    /// The framework that is asked for or that the folder tells.
    func chosenFramework() throws -> FrameworkName { try parts.framework(framework) }

    var parts: PipelineParts {
        PipelineParts(folder: base, transformer: transformer, vae: vae, clip: clip, t5: t5)
    }
}
