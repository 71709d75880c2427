public import TensorIO

extension Editor {
    /// Edits `image` by an instruction such as `make the cat blue`.
    public func edit(
        _ image: Image, _ instruction: String, options: Options = Options(),
        observe: (Progress) throws -> Void = { _ in }
    ) throws -> Result {
        try edit(image, PromptFields(instruction: instruction), options: options, observe: observe)
    }
}
