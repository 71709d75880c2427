import Autograd
import TensorCore

/// Into how many chunks tokens `[B, S, …]` are best divided for a part that makes `width` elements for each on the way: one,
/// unless no gradient will want those and all of them would be large. `needsAll` says that the tokens must come together,
/// for what a layer tells beside its result.
func chunkCount(_ tokens: Variable, width: Int, needingAll needsAll: Bool) -> Int {
    let rows = tokens.shape[0] * tokens.shape[1]
    if recordsGradients || needsAll || rows * width * tokens.dtype.byteCount <= largeActivation { return 1 }
    return min(tokens.shape[1], (rows + chunkRows - 1) / chunkRows)
}

/// Applies `body`, which gives each token a result of its own, to `inputs` `[B, S, …]`, which are about the same tokens, in
/// chunks of tokens one after the other: the results are the same, and what it makes on the way is in memory for one chunk.
func inChunks(_ count: Int, _ inputs: [Variable], _ body: ([Variable]) -> Variable) -> Variable {
    if count == 1 { return body(inputs) }
    let tokens = inputs[0].shape[1]
    let results = (0..<count).map { index in
        let chunk = index * tokens / count..<(index + 1) * tokens / count
        return body(inputs.map { $0.sliced(axis: 1, chunk).contiguous() })
    }
    return .concatenated(results, axis: 1)
}

/// Bytes of what may be made for all tokens at once.
private let largeActivation = 16 << 20
/// Tokens of a chunk at most: each chunk's products read and pack the weights, which costs as much as eight rows of them.
private let chunkRows = 1024
