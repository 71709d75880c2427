import Autograd
import TensorCore

/// Into how many bands tokens `[B, S, …]` are best divided for a part that makes `width` elements for each on the way: one,
/// unless no gradient will want those and all of them would be large. `needsAll` says that the tokens must come together,
/// for what a layer tells beside its result.
func bandCount(_ tokens: Variable, width: Int, needingAll needsAll: Bool) -> Int {
    let rows = tokens.shape[0] * tokens.shape[1]
    if recordsGradients || needsAll || rows * width * tokens.dtype.byteCount <= largeActivation { return 1 }
    return min(tokens.shape[1], (rows + bandRows - 1) / bandRows)
}

/// Applies `body`, which gives each token a result of its own, to `inputs` `[B, S, …]`, which are about the same tokens, in
/// bands of tokens one after the other: the results are the same, and what it makes on the way is in memory for one band.
func inBands(_ count: Int, _ inputs: [Variable], _ body: ([Variable]) -> Variable) -> Variable {
    if count == 1 { return body(inputs) }
    let tokens = inputs[0].shape[1]
    let results = (0..<count).map { index in
        let band = index * tokens / count..<(index + 1) * tokens / count
        return body(inputs.map { $0.sliced(axis: 1, band).contiguous() })
    }
    return .concatenated(results, axis: 1)
}

/// Bytes of what may be made for all tokens at once.
private let largeActivation = 16 << 20
/// Tokens of a band at most: each band's products read and pack the weights, which costs as much as eight rows of them.
private let bandRows = 1024
